#include "aggregator/keys/api_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

namespace kleptometrics::aggregator::keys {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string out;
  out.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4U];
    out += kDigits[bytes[i] & 15U];
  }
  return out;
}

// -1 for what is no digit.
int value_of(char c) {
  const std::size_t at = kDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  return at == kDigits.npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::optional<std::string> make_key() {
  unsigned char bytes[kKeyBytes];
  if (::RAND_bytes(bytes, static_cast<int>(sizeof bytes)) != 1) return std::nullopt;
  std::string key(kKeyPrefix);
  key += hex(bytes, sizeof bytes);
  ::OPENSSL_cleanse(bytes, sizeof bytes);
  return key;
}

bool is_key(std::string_view text) {
  return text.size() == kKeyTextBytes && text.substr(0, kKeyPrefix.size()) == kKeyPrefix &&
         text.find_first_not_of(kDigits, kKeyPrefix.size()) == text.npos;
}

Hash hash_of(std::string_view text) {
  Hash hash;
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

std::string hex_of(const Hash& hash) { return hex(hash.data(), hash.size()); }

std::optional<Hash> parse_hash(std::string_view digits) {
  Hash hash{};
  if (digits.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = value_of(digits[2 * i]);
    const int low = value_of(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return hash;
}

bool equal(const Hash& a, const Hash& b) { return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace kleptometrics::aggregator::keys
