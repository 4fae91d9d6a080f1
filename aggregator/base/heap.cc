#include "aggregator/base/heap.h"

#include <malloc.h>

#include <cstddef>

// Of jemalloc (jemalloc(3)); null where the process has another heap.
extern "C" {
int mallctl(const char* name, void* old, std::size_t* old_size, void* fresh, std::size_t fresh_size)
    __attribute__((weak));
// Read by jemalloc as it starts. A sidecar is to be small: few arenas, and what is free goes back to the system soon.
extern const char* const malloc_conf;
const char* const malloc_conf =
    "narenas:4,background_thread:true,max_background_threads:1,dirty_decay_ms:250,muzzy_decay_ms:0";
}

namespace kleptometrics::aggregator {

void prepare_heap() {
  if (mallctl == nullptr) ::mallopt(M_ARENA_MAX, 2);  // each further arena keeps some of what a load has filled
}

void give_memory_back() {
  if (mallctl == nullptr) {
    ::malloc_trim(0);
    return;
  }
  (void)mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  (void)mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // MALLCTL_ARENAS_ALL
}

}  // namespace kleptometrics::aggregator
