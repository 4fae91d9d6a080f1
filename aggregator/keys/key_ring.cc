#include "aggregator/keys/key_ring.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"

namespace kleptometrics::aggregator::keys {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

// The next word; empty where none is left.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

bool is_alphanumeric(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

absl::Status bad(std::string_view why) { return absl::InvalidArgumentError(absl_view(why)); }

// The token of `Bearer TOKEN` (RFC 6750); nothing where the field says something else.
std::optional<std::string_view> bearer_token(std::string_view value) {
  constexpr std::string_view kScheme = "bearer";
  const std::string_view scheme = take_word(value);
  const bool bearer = scheme.size() == kScheme.size() &&
                      std::equal(scheme.begin(), scheme.end(), kScheme.begin(), [](char given, char lower) {
                        return (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given) == lower;
                      });
  const std::string_view token = take_word(value);
  if (!bearer || !take_word(value).empty()) return std::nullopt;
  return token;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string line_of(const KnownKey& key) {
  return absl::StrCat(key.name, " ", absl_view(name_of(key.scope)), " ", hex_of(key.hash));
}

absl::StatusOr<KeyRing> KeyRing::parse(std::string_view text, std::string_view source) {
  KeyRing ring;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const absl::Status status = ring.add_line(line.substr(0, line.find('#'))); !status.ok())
      return absl::InvalidArgumentError(absl::StrCat(absl_view(source), ":", number, ": ", status.message()));
  }
  if (ring.keys_.empty()) return absl::InvalidArgumentError(absl::StrCat(absl_view(source), ": no key is in it"));
  return ring;
}

// What a line holds is not repeated in the errors: it may be a key, put there in place of its hash.
absl::Status KeyRing::add_line(std::string_view line) {
  const std::string_view name = take_word(line);
  if (name.empty()) return absl::OkStatus();
  const std::string_view scope_name = take_word(line);
  const std::string_view digits = take_word(line);
  if (!is_name(name)) return bad("a name has 1 to 64 letters, digits and . _ -, a letter or digit first");
  const std::optional<Scope> scope = parse_scope(scope_name);
  if (!scope) return bad("the scope, after the name, must be read, write or admin");
  if (digits.empty()) return bad("the hash is missing: expected NAME SCOPE SHA256");
  if (is_key(digits)) return bad("this is a key; its SHA-256 belongs here, and the key to whoever presents it");
  const std::optional<Hash> hash = parse_hash(digits);
  if (!hash) return bad("the hash must be 64 hexadecimal digits, the SHA-256 of a key");
  if (!take_word(line).empty()) return bad("something follows the hash: expected NAME SCOPE SHA256");
  if (equal(*hash, hash_of(""))) return bad("the hash is that of an empty key");
  for (const KnownKey& known : keys_) {
    if (known.name == name) return bad("a key of this name is there already");
    if (equal(known.hash, *hash)) return bad("this key is there already, by another name");
  }
  if (keys_.size() == kKeysMax) return bad(absl::StrCat("more than ", kKeysMax, " keys"));
  keys_.push_back({std::string(name), *scope, *hash});
  return absl::OkStatus();
}

Verdict KeyRing::judge(std::optional<std::string_view> authorization, Scope wanted) const {
  if (wanted == Scope::kNone) return Verdict::kGranted;
  if (!authorization) return Verdict::kMissing;
  const std::optional<std::string_view> token = bearer_token(*authorization);
  if (!token || !is_key(*token)) return Verdict::kUnknown;
  const Hash presented = hash_of(*token);
  const KnownKey* found = nullptr;
  for (const KnownKey& known : keys_) found = equal(known.hash, presented) ? &known : found;
  if (found == nullptr) return Verdict::kUnknown;
  return includes(found->scope, wanted) ? Verdict::kGranted : Verdict::kForbidden;
}

}  // namespace kleptometrics::aggregator::keys
