// How many runs a chunk had best hold. SQLite keeps a row that does not fit into a page in pages of its own, full to
// the last byte, and what is left over in the page of the table. If that is more than half of one, no other row goes
// beside it and up to half of the page is lost: a tenth of a chunk and more. A few runs less, and two rows share the
// page.
//
// Of "Database File Format", section 1.6, at https://sqlite.org/fileformat2.html. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>

#include "aggregator/store/sqlite/keys.h"

namespace kleptometrics::aggregator::sqlite {

inline constexpr std::size_t kPageBytes = 4096;  // of SQLite, by default; of another size chunks are only less well cut
inline constexpr std::size_t kRowBytes = 32;     // at most: what a row of `chunks` has beside the bytes of its chunk

// Bytes of pages that a row of `chunks` takes, its part of a page that it shares included.
inline std::size_t bytes_of_pages(std::size_t chunk_bytes) {
  constexpr std::size_t kHeadBytes = 8, kLinkBytes = 4;  // of a page, and of one of those of the row's own
  constexpr std::size_t kMost = kPageBytes - 35, kLeast = (kPageBytes - 12) * 32 / 255 - 23;
  const std::size_t row = chunk_bytes + kRowBytes;
  std::size_t here = row;
  if (row > kMost) here = kLeast + (row - kLeast) % (kPageBytes - kLinkBytes);
  if (here > kMost) here = kLeast;
  const std::size_t own = (row - here + kPageBytes - kLinkBytes - 1) / (kPageBytes - kLinkBytes);
  const std::size_t beside = std::max<std::size_t>(1, (kPageBytes - kHeadBytes) / (here + kHeadBytes));
  return own * kPageBytes + kPageBytes / beside;
}

// Of runs that take so many bytes each, in chunks like it, give or take 4 %: the number, from two thirds of kSlotsMax
// to kSlotsMax, that takes the least a run.
inline std::size_t runs_that_fit(double bytes_a_run) {
  std::size_t best = kSlotsMax;
  double least = 0;
  for (std::size_t runs = kSlotsMax; runs >= kSlotsMax * 2 / 3; --runs) {
    const auto bytes = static_cast<std::size_t>(static_cast<double>(runs) * bytes_a_run * 1.04);
    const double each = static_cast<double>(bytes_of_pages(bytes)) / static_cast<double>(runs);
    if (least != 0 && each >= least) continue;
    least = each;
    best = runs;
  }
  return best;
}

}  // namespace kleptometrics::aggregator::sqlite
