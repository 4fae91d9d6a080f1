// A control of the kill tests: an aggregator that acknowledges before it has committed, the mistake by which others
// lose what they confirmed. It is kleptometricsd with this file in the place of store/open_store.cc, and no test that
// can see anything may let it pass.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"
#include "tests/fakes/forwarding_store.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::chrono::milliseconds kLate(20);

class EarlyStore final : public fakes::ForwardingStore {
 public:
  explicit EarlyStore(std::unique_ptr<Store> to) : ForwardingStore(std::move(to)), thread_([this] { loop(); }) {}
  ~EarlyStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos, const std::vector<Basis>&) override {
    const std::lock_guard lock(mutex_);
    const std::size_t count = runs.size();
    waiting_.push_back(std::move(runs));
    changed_.notify_all();
    return std::vector<Applied>(count, Applied::kAccepted);
  }

 private:
  // Commits everything before it ends, if it is let.
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      changed_.wait_for(lock, kLate, [this] { return stopping_; });
      std::vector<Run> next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      (void)inner->commit(std::move(next), 0);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Run>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_store(std::string_view url, bool) {
  constexpr std::string_view kScheme = "sqlite:";
  if (!url.starts_with(kScheme)) return absl::InvalidArgumentError("the control knows `sqlite:PATH` alone");
  auto store = open_sqlite(url.substr(kScheme.size()));
  if (!store.ok()) return store.status();
  return std::make_unique<EarlyStore>(*std::move(store));
}

}  // namespace kleptometrics::aggregator
