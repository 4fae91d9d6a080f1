// An API key: 32 random bytes as text, `klepto_` and 64 hexadecimal digits, so that scanners for secrets know one when
// they see it. Only its hash is ever kept: of 256 random bits a plain SHA-256 gives nothing away, and costs so little
// that every request can be asked for its key. Pure, but for the making of one.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kleptometrics::aggregator::keys {

inline constexpr std::string_view kKeyPrefix = "klepto_";
inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kKeyTextBytes = kKeyPrefix.size() + 2 * kKeyBytes;

using Hash = std::array<unsigned char, 32>;

// Nothing where the system has no random bytes.
std::optional<std::string> make_key();

// The prefix and 64 lower-case hexadecimal digits. What is none was never given out.
bool is_key(std::string_view text);

// SHA-256 of the text.
Hash hash_of(std::string_view text);

std::string hex_of(const Hash& hash);                     // 64 digits, lower case
std::optional<Hash> parse_hash(std::string_view digits);  // 64, either case

// In the same time whatever they hold.
bool equal(const Hash& a, const Hash& b);

}  // namespace kleptometrics::aggregator::keys
