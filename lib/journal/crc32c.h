// CRC32C (Castagnoli, RFC 3720 appendix B.4): the checksum of the journal. Uses the processor's instruction
// where there is one, tables elsewhere. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kleptometrics::journal {

// CRC of `size` bytes at `data`, going on from `crc`, the result for the bytes before them (0: none).
// crc32c(crc32c(0, a), b) is the CRC of a followed by b.
std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) noexcept;

// The same by tables alone: what processors without the instruction run. For tests.
std::uint32_t crc32c_by_tables(std::uint32_t crc, const void* data, std::size_t size) noexcept;

}  // namespace kleptometrics::journal
