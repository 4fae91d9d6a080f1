// What columns are written as: numbers by blocks, each block as narrow as its widest number, and strings that begin and
// end as their neighbours do. Internal to this room. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kleptometrics::aggregator::wire {

using Numbers = std::vector<std::uint64_t>;

// A block is a byte, the width of its numbers in bits (0 to 64), and then those, the lowest bit first: that is twice as
// many bytes as bits where the block is full. The last may hold fewer, and is filled up with zeros to whole bytes. In
// the way of "frames of reference" (J. Goldstein, R. Ramakrishnan, U. Shaft, "Compressing relations and indexes", ICDE
// 1998), with the frame taken out beforehand.
inline constexpr std::size_t kPackedBlock = 16;

void pack(const Numbers& numbers, std::string& out);
// False if the bytes are not those of `count` numbers.
bool unpack(std::string_view bytes, std::size_t count, Numbers& numbers);

// How many bytes two strings begin with alike, and how many of the others they end with; at most `most` each.
struct Shared {
  std::size_t begin = 0, end = 0;
};
inline Shared shared_by(std::string_view a, std::string_view b, std::size_t most) {
  Shared shared;
  const std::size_t shorter = std::min(a.size(), b.size());
  while (shared.begin < std::min(shorter, most) && a[shared.begin] == b[shared.begin]) ++shared.begin;
  const std::size_t left = std::min(shorter - shared.begin, most);
  while (shared.end < left && a[a.size() - 1 - shared.end] == b[b.size() - 1 - shared.end]) ++shared.end;
  return shared;
}

}  // namespace kleptometrics::aggregator::wire
