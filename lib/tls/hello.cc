#include "lib/tls/hello.h"

namespace kleptometrics::tls {
namespace {

constexpr unsigned kHandshakeRecord = 22;
constexpr unsigned kClientHello = 1;
// Version, random and the shortest lists: no greeting has less. One cut into crumbs of records is none of an honest peer.
constexpr std::size_t kFirstRecordBytesMin = 38;

}  // namespace

Hello judge_hello(std::string_view first) {
  const auto byte = [first](std::size_t at) { return std::size_t{static_cast<unsigned char>(first[at])}; };
  if (!first.empty() && ((first[0] >= 'A' && first[0] <= 'Z') || (first[0] >= 'a' && first[0] <= 'z')))
    return Hello::kPlain;
  if (first.size() < kHelloBytes || byte(0) != kHandshakeRecord || byte(1) != 3) return Hello::kBad;
  const std::size_t record = byte(3) << 8U | byte(4);
  const std::size_t message = byte(6) << 16U | byte(7) << 8U | byte(8);
  const bool good = record >= kFirstRecordBytesMin && byte(5) == kClientHello && message <= kHelloBytesMax;
  return good ? Hello::kGood : Hello::kBad;
}

}  // namespace kleptometrics::tls
