// The keys that are known, and whether what a request presents is one of them. Read from text, a key a line:
//
//   # who       scope   sha256 of the key
//   nightly     write   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// Pure; fuzzed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/keys/api_key.h"
#include "aggregator/keys/scope.h"

namespace kleptometrics::aggregator::keys {

inline constexpr std::size_t kKeysMax = 1000;
inline constexpr std::size_t kNameBytesMax = 64;

struct KnownKey {
  std::string name;  // [A-Za-z0-9][A-Za-z0-9._-]{0,63}
  Scope scope = Scope::kRead;
  Hash hash{};
};

bool is_name(std::string_view text);

// As it stands in a file, without a line break.
std::string line_of(const KnownKey& key);

// What became of a request's field `Authorization`.
enum class Verdict {
  kGranted,
  kMissing,    // there is none: 401
  kUnknown,    // it is no key that is known: 401
  kForbidden,  // its scope does not reach: 403
};

// Any thread, several at once; never changes.
class KeyRing {
 public:
  // Blank lines and what follows a '#' count for nothing. InvalidArgument, with a line that begins with `source:LINE:
  // `, for the first that is not NAME SCOPE HASH, whose name or hash is there already, or whose hash is that of the
  // empty text; and where there is no key at all.
  static absl::StatusOr<KeyRing> parse(std::string_view text, std::string_view source);

  // `authorization`: the field's value, of which nothing is kept; nullopt where the request has none. Every key is
  // compared, in a time that does not depend on which of them fits.
  Verdict judge(std::optional<std::string_view> authorization, Scope wanted) const;

  const std::vector<KnownKey>& keys() const { return keys_; }

 private:
  absl::Status add_line(std::string_view line);

  std::vector<KnownKey> keys_;
};

}  // namespace kleptometrics::aggregator::keys
