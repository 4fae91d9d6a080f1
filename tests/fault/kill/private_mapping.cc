// A control of the kill tests, preloaded into a program: what it maps to be shared is private to it, as a journal in
// plain memory would be. No test that can see anything may let it pass.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

void* mapped(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (fd >= 0 && (protection & PROT_WRITE) != 0 && (flags & MAP_TYPE) != MAP_PRIVATE)
    flags = (flags & ~MAP_TYPE) | MAP_PRIVATE;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}

}  // namespace

extern "C" void* mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  return mapped(address, bytes, protection, flags, fd, offset);
}
extern "C" void* mmap64(void* address, size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  return mapped(address, bytes, protection, flags, fd, offset);
}
