#include "lib/src/process.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fork.h"
#include "lib/src/client_state.h"
#include "lib/src/threads.h"
#include "lib/tls/gate.h"

namespace kleptometrics {
namespace internal {
namespace {

// Everything that belongs to one process. A forked child sets its parent's aside and makes its own; it is never freed,
// since threads and static objects may still use it while the process ends, but stays in a list, so that no leak
// checker of the host takes it for lost.
struct Process {
  const std::uint64_t generation = fork_generation();
  Process* before = nullptr;
  std::once_flag client_made;
  std::unique_ptr<Client> client;  // the process-wide one
  Mutex mutex;
  std::vector<std::weak_ptr<ClientState>> clients KLEPTO_GUARDED_BY(mutex);
};

std::atomic<Process*> the_process{nullptr};
std::atomic<Process*> forgotten{nullptr};  // the newest of them

// Sets `was` aside, for good.
void forget(Process* was) noexcept {
  if (was != nullptr) was->before = forgotten.exchange(was, std::memory_order_acq_rel);
}

// Null without memory.
Process* process() noexcept {
  Process* current = the_process.load(std::memory_order_acquire);
  if (current != nullptr && current->generation == fork_generation()) return current;
  auto* made = new (std::nothrow) Process;
  if (made == nullptr) return nullptr;
  if (the_process.compare_exchange_strong(current, made, std::memory_order_acq_rel)) {
    forget(current);
    return made;
  }
  delete made;
  return current;
}

std::vector<std::shared_ptr<ClientState>> living_clients(Process& current) {
  std::vector<std::shared_ptr<ClientState>> out;
  const Lock lock(current.mutex);
  for (const auto& weak : current.clients)
    if (auto client = weak.lock()) out.push_back(std::move(client));
  return out;
}

// Each is to be done once in a program, its forked children included: they inherit it, and the loader's lock or that
// of the handlers at exit could have been held by another thread of the parent when it forked. Not guarded statics,
// whose guards could be held then too.
std::atomic<bool> kept_loaded{false};
std::atomic<bool> exit_hooked{false};
std::atomic<bool> threads_watched{false};
std::atomic<bool> tls_prepared{false};

// What records while the program exits gets a new client, which is seen off as well, so often and no oftener: a thread
// that goes on recording makes another one every time.
constexpr int kExitsMax = 4;
std::atomic<int> exits{0};
std::atomic<Nanos> first_exit{0};  // steady

// When the program began to exit.
Nanos exit_began() noexcept {
  const Nanos now = system_clock().steady();
  Nanos nobody = 0;
  return first_exit.compare_exchange_strong(nobody, now) ? now : nobody;
}

// exit(status) or the return of main. Runs after the destructors of the static objects that were made after the
// first client. All clients together are waited for no longer than flush_timeout; what then is left in their journals,
// and what records later still, the aggregator picks up.
void at_exit(int status, void*) noexcept {
  if (exits.fetch_add(1) + 1 < kExitsMax) exit_hooked.store(false);
  const Nanos begin = exit_began();
  Process* current = the_process.exchange(nullptr, std::memory_order_acq_rel);
  forget(current);
  if (current == nullptr || current->generation != fork_generation()) return;
  try {
    const auto clients = living_clients(*current);
    for (const auto& client : clients) client->exit_runs(status);
    for (const auto& client : clients)
      client->close(client->options.flush_timeout - Duration(system_clock().steady() - begin));
  } catch (...) {  // no memory for the list: the journals stay for the aggregator
  }
  if (tls_prepared.load()) tls::close_gate();
}

// The worker thread and the hooks live in this code: a plug-in that is unloaded must not take it along.
void keep_loaded() noexcept {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&keep_loaded), &info) == 0 || info.dli_fname == nullptr) return;
  ::dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace

void prepare_process() noexcept {
  count_forks();
  if (!kept_loaded.exchange(true)) keep_loaded();
  if (!exit_hooked.exchange(true)) ::on_exit(at_exit, nullptr);
  if (!threads_watched.exchange(true)) watch_threads();
}

// Where the host had OpenSSL clean up at exit before we could ask it not to, that shall happen after our own end: what was
// registered last comes first, and at_exit() may come twice.
void prepare_tls() noexcept {
  if (tls_prepared.exchange(true)) return;
  tls::prepare();
  ::on_exit(at_exit, nullptr);
}

void remember_client(const std::shared_ptr<ClientState>& client) {
  Process* current = process();
  if (current == nullptr) return;
  const Lock lock(current->mutex);
  auto& clients = current->clients;
  clients.erase(std::remove_if(clients.begin(), clients.end(), [](const auto& weak) { return weak.expired(); }),
                clients.end());
  clients.push_back(client);
}

}  // namespace internal

Client& Client::process() noexcept {
  internal::prepare_process();
  internal::Process* current = internal::process();
  if (current != nullptr) {
    std::call_once(current->client_made, [&] { current->client.reset(new (std::nothrow) Client(ClientOptions{})); });
    if (current->client != nullptr) return *current->client;
  }
  alignas(Client) static std::byte storage[sizeof(Client)];  // no memory for a real one; never destroyed
  static Client* const inert = new (storage) Client(std::shared_ptr<internal::ClientState>());
  return *inert;
}

}  // namespace kleptometrics
