// The memory a journal lies in: a mapped file of the spool directory, or private memory. For the writer
// alone. Ends with its object, which unmaps and lets go of the lock, and leaves the file in place.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "lib/journal/format.h"

namespace kleptometrics::journal {

class Storage {
 public:
  Storage() = default;
  ~Storage();
  Storage(Storage&& other) noexcept;
  Storage& operator=(Storage&& other) noexcept;

  // Makes, preallocates, maps and locks a file, writes the head into it and only then gives it its name.
  // On failure nothing is left behind, `error` says why and the result has no memory.
  static Storage make_file(const Writer::Options& options, const Head& head, std::string* error);
  // Zeros; no memory if there is none.
  static Storage make_private(std::size_t bytes) noexcept;

  char* base() const noexcept { return base_; }  // null: no memory
  std::size_t bytes() const noexcept { return bytes_; }
  const std::string& path() const noexcept { return path_; }  // of the file; empty if private

  // Closes the descriptor, and with it the lock of this process, unless the host has closed it before us and
  // the number now means another file.
  void close_file() noexcept;

 private:
  bool open_new(const std::string& path, std::string* error);
  bool prepare(std::size_t bytes, std::string* error);

  char* base_ = nullptr;
  std::size_t bytes_ = 0;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::string path_;
};

// Bits that no one can guess: from the kernel, or where that fails from what this process has.
std::uint64_t random_bits() noexcept;

}  // namespace kleptometrics::journal
