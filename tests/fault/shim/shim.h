// What a test and the preloaded shim (shim.cc) say to each other: the test by the environment, the shim by a file that
// both have mapped, so that its counts survive whatever becomes of the program.
//
//   KLEPTO_FAULT_CALL     which system call: write, pwrite, fdatasync, fsync, ftruncate, fallocate, unlink,
//                         rename, open, mmap, connect, send; or sync_folder: either of the syncs, of a folder
//                         (which is then not counted under its own name)
//   KLEPTO_FAULT_AT       the one that fails, counted from 1 over all threads; 0, or beyond the last: none
//   KLEPTO_FAULT_ERROR    EIO, ENOSPC, EMFILE, ENOMEM, EINTR, or short: half of what was asked is done
//                         (write, pwrite, send)
//   KLEPTO_FAULT_REPORT   file of sizeof(Report) bytes
//   KLEPTO_FAULT_DISCARD  1: a sync that fails loses what was written to its file since the last one that did
//                         not, as Linux may, which takes such pages for clean
//   KLEPTO_FAULT_RETRY    1: a sync that fails is tried again before the program hears of it: the mistake that
//                         the tests must be able to see
//   KLEPTO_FAULT_WALL     n: the wall clock jumps a day ahead, and back, at every n-th reading
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics::fault {

struct Report {
  std::atomic<std::uint64_t> calls;         // of the kind asked for
  std::atomic<std::uint64_t> failed;        // made to fail
  std::atomic<std::uint64_t> writes_after;  // pwrite, ftruncate and syncs of files after a sync of a file failed
  std::atomic<std::uint64_t> jumps;         // of the wall clock
};

}  // namespace kleptometrics::fault
