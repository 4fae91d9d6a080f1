#include "aggregator/keys/new_key.h"

#include <cstdio>
#include <optional>
#include <string_view>

#include "aggregator/keys/key_file.h"

namespace kleptometrics::aggregator::keys {

absl::Status print_new_key(const std::string& name_and_scope, const std::string& file) {
  const std::size_t colon = name_and_scope.rfind(':');
  const std::optional<Scope> scope =
      colon == std::string::npos ? std::nullopt : parse_scope(std::string_view(name_and_scope).substr(colon + 1));
  if (!scope) return absl::InvalidArgumentError("--new_api_key wants NAME:SCOPE, where SCOPE is read, write or admin");
  const absl::StatusOr<NewKey> made = add_key(file, name_and_scope.substr(0, colon), *scope);
  if (!made.ok()) return made.status();
  std::printf("%s\n", made->key.c_str());
  if (file.empty()) {
    std::fprintf(stderr, "the line for --api_key_file:\n%s\n", made->line.c_str());
  } else {
    std::fprintf(stderr, "added to %s; an aggregator that runs takes it on SIGHUP\n", file.c_str());
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::keys
