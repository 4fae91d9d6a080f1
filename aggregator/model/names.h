// Names of enumerators that begin at 1, in a table by value. Within this room.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace kleptometrics::aggregator {

template <typename Enum, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto at = static_cast<std::size_t>(value);
  return at >= 1 && at < N ? names[at] : "unknown";
}

template <typename Enum, std::size_t N>
std::optional<Enum> value_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t at = 1; at < N; ++at) {
    if (names[at] == name) return static_cast<Enum>(at);
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator
