// Where a Redis server is and how to be let in, read from a URL:
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?prefix=TEXT]       rediss:// the same over TLS
//   redis+unix://[[USER]:PASSWORD@]/PATH[?db=DB&prefix=TEXT]       a Unix socket
//
// User, password and path are percent-decoded (RFC 3986). A value; pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::redis {

inline constexpr std::uint16_t kPortDefault = 6379;
inline constexpr std::size_t kPrefixBytesMax = 100;
inline constexpr std::uint32_t kDbMax = 1'000'000;

struct Url {
  bool tls = false;
  std::string host{};  // empty: path
  std::uint16_t port = kPortDefault;
  std::string path{};  // of a Unix socket
  std::string user{};
  std::string password{};
  std::uint32_t db = 0;
  std::string prefix = "klepto:";  // that all keys begin with

  // For people: everything but user and password.
  std::string shown() const;
};

// InvalidArgument says what is wrong, without user and password.
absl::StatusOr<Url> parse_url(std::string_view text);

}  // namespace kleptometrics::aggregator::redis
