// The bytes of one connection, bare or under TLS: one way to read and one to write for whoever has its turn with it.
#pragma once

#include <cstddef>
#include <string>

#include "lib/tls/stream.h"

namespace kleptometrics::aggregator::http::guard {

// Borrows both; copied freely. One thread at a time.
struct Channel {
  int fd = -1;
  tls::Stream* tls = nullptr;  // null: bare
};

// What is there, without waiting.
tls::Progress receive_some(Channel channel, char* into, std::size_t bytes);

// Sends what the kernel takes without waiting, from `sent` on; false when the peer is gone. Never raises
// SIGPIPE.
bool send_some(Channel channel, const std::string& bytes, std::size_t& sent);

}  // namespace kleptometrics::aggregator::http::guard
