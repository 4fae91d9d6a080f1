// The first bytes that a peer sends to an address that speaks TLS (RFC 8446, sections 4 and 5.1), judged before
// anything is set up for it: plain HTTP, garbage, and the announcement of a greeting that would fill memory cost
// nothing. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace kleptometrics::tls {

// Header of a record, and of the message in it.
inline constexpr std::size_t kHelloBytes = 9;
// OpenSSL makes room for what is announced, up to 128 KiB; honest greetings have less than 3.
inline constexpr std::size_t kHelloBytesMax = 16U << 10U;

enum class Hello {
  kGood,   // the beginning of a ClientHello
  kPlain,  // a letter: plain HTTP, most likely
  kBad,
};

// Of the first kHelloBytes, or of fewer where no more will come.
Hello judge_hello(std::string_view first);

}  // namespace kleptometrics::tls
