// What a file held before writes that were not synced yet, so that they can be taken back. Any thread.
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace kleptometrics::fault {

// About to write `size` bytes there.
void remember(int fd, std::size_t size, off_t offset) noexcept;
// The file is synced: its writes stand.
void settle(int fd) noexcept;
// Its writes since then never happened.
void discard(int fd) noexcept;

}  // namespace kleptometrics::fault
