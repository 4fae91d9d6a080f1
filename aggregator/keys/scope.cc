#include "aggregator/keys/scope.h"

#include <array>
#include <cstddef>

namespace kleptometrics::aggregator::keys {

std::string_view name_of(Scope scope) {
  constexpr std::array<std::string_view, 4> kNames = {"none", "read", "write", "admin"};
  return kNames[static_cast<std::size_t>(scope)];
}

std::optional<Scope> parse_scope(std::string_view name) {
  for (const Scope scope : {Scope::kRead, Scope::kWrite, Scope::kAdmin}) {
    if (name == name_of(scope)) return scope;
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator::keys
