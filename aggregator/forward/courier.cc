#include "aggregator/forward/courier.h"

#include <optional>
#include <thread>
#include <utility>

#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

// Of both threads: the last that lets go ends it.
struct Courier::Shared {
  std::unique_ptr<Transport> transport;  // the carrying thread's own
  Mutex mutex;
  Condition changed;
  std::optional<std::string> request KLEPTO_GUARDED_BY(mutex);
  std::optional<Reply> reply KLEPTO_GUARDED_BY(mutex);
  bool given_up KLEPTO_GUARDED_BY(mutex) = false;
};

Courier::Courier(std::unique_ptr<Transport> transport) : shared_(std::make_shared<Shared>()) {
  shared_->transport = std::move(transport);
  std::thread([shared = shared_] { carry(shared); }).detach();
}

Courier::~Courier() { give_up(); }

void Courier::carry(const std::shared_ptr<Shared>& shared) {
  for (;;) {
    std::string request;
    {
      const Lock lock(shared->mutex);
      while (!shared->request && !shared->given_up) shared->changed.wait(shared->mutex);
      if (shared->given_up) return;
      request = *std::exchange(shared->request, std::nullopt);
    }
    Reply reply = shared->transport->post(std::move(request));
    const Lock lock(shared->mutex);
    shared->reply = std::move(reply);
    shared->changed.notify_all();
  }
}

Reply Courier::post(std::string body) {
  Shared& shared = *shared_;
  const Lock lock(shared.mutex);
  shared.reply.reset();
  shared.request = std::move(body);
  shared.changed.notify_all();
  while (!shared.reply && !shared.given_up) shared.changed.wait(shared.mutex);
  if (!shared.reply) return {0, {}, {}, "given up"};
  return *std::exchange(shared.reply, std::nullopt);
}

void Courier::give_up() {
  const Lock lock(shared_->mutex);
  shared_->given_up = true;
  shared_->changed.notify_all();
}

}  // namespace kleptometrics::aggregator
