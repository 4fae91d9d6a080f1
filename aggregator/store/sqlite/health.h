// What is known about writing to the file: asked by any thread, while the writer may be busy.
#pragma once

#include "absl/status/status.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::sqlite {

// Any thread. Statuses are copied whole: Abseil's count of their owners is right, but a packaged Abseil
// counts where ThreadSanitizer cannot look.
class Health {
 public:
  // What came of the last attempt to write.
  void note(const absl::Status& status) {
    const Lock lock(mutex_);
    last_ = copy_of(status);
  }
  // Nothing may be written ever again; the first reason stays.
  void end(const absl::Status& status) {
    const Lock lock(mutex_);
    if (ended_.ok()) ended_ = copy_of(status);
  }
  absl::Status last() {
    const Lock lock(mutex_);
    return copy_of(last_);
  }
  absl::Status ended() {
    const Lock lock(mutex_);
    return copy_of(ended_);
  }

 private:
  static absl::Status copy_of(const absl::Status& status) { return {status.code(), status.message()}; }

  Mutex mutex_;
  absl::Status last_ KLEPTO_GUARDED_BY(mutex_);
  absl::Status ended_ KLEPTO_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator::sqlite
