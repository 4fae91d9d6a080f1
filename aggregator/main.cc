// kleptometricsd: wiring, signals, and the order of stopping. Everything else has a room of its own:
//
//   http/guard -> http -> ingest -> store        a report comes in and is committed
//                 http -> query  -> store        a question is answered
//                 watch -> ingest                journals of dead programs are picked up, and their runs judged;
//                                                http tells watch, through main, who pushes which runs
//                 forward -> store, ingest       what was committed is passed on to a centre
//
// Parts are started from the store outwards and stopped from the sockets inwards, so that nothing that is running lacks
// what it needs. Exit codes: 0 after SIGTERM or SIGINT, 1 for what cannot be started or go on.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/heap.h"
#include "aggregator/base/log.h"
#include "aggregator/forward/forwarder.h"
#include "aggregator/http/api.h"
#include "aggregator/http/guard/server.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/keys/key_file.h"
#include "aggregator/keys/new_key.h"
#include "aggregator/query/query.h"
#include "aggregator/settings/settings.h"
#include "aggregator/store/store.h"
#include "aggregator/watch/job_watcher.h"
#include "aggregator/watch/spool_watcher.h"
#include "aggregator/watch/watch_duty.h"
#include "lib/base/clock.h"
#include "lib/base/places.h"

namespace kleptometrics::aggregator {
namespace {

absl::Status run(Settings settings);
absl::Status wait_for_the_end(const sigset_t& signals, const Committer& committer, const std::function<void()>& reload);
absl::Status write_ready_file(const std::string& path, const http::guard::Server& server);

// Threads are started with these blocked, so that only wait_for_the_end() sees them.
sigset_t block_signals(bool reloads) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  if (reloads) ::sigaddset(&signals, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// The two addresses may hold more connections than the common soft limit of 1024 descriptors, and every program that is
// watched takes one.
void allow_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 65536));
  ::setrlimit(RLIMIT_NOFILE, &limit);  // where it fails, accepting pauses when there are none left
}

template <typename Phase>
void timed(std::string_view name, Phase phase) {
  const Nanos begin = system_clock().steady();
  phase();
  const Nanos millis = (system_clock().steady() - begin) / 1'000'000;
  log_info("stopped " + std::string(name) + " milliseconds=" + std::to_string(millis));
}

// Says what it finds on stdout.
absl::Status verify(Store& store, const std::string& url) {
  constexpr std::size_t kDifferencesMax = 100;
  const auto differences = store.verify(kDifferencesMax);
  if (!differences.ok()) return differences.status();
  for (const std::string& difference : *differences) std::printf("%s\n", difference.c_str());
  if (!differences->empty()) return absl::DataLossError(absl::StrCat(url, " does not hold together"));
  std::printf("%s: everything that is derived from runs is what they say\n", url.c_str());
  return absl::OkStatus();
}

// What the guard counts, as GET /metrics tells it.
std::vector<http::ServiceCounter> counters_of(const http::guard::GuardCounts& counts) {
  return {
      {"http_connections_total", "Connections accepted, since the start.", counts.connections},
      {"http_requests_total", "Requests handed to a handler, since the start.", counts.requests},
      {"http_refused_total", "Requests refused unread, as their sender is at fault.", counts.refused},
      {"http_unauthorized_total", "Of them those without an API key, or with none that is known.", counts.unauthorized},
      {"http_forbidden_total", "Of them those whose API key may not, or from pages elsewhere.", counts.forbidden},
      {"tls_handshakes_failed_total", "Connections on which TLS was not agreed on.", counts.handshakes_failed},
      {"http_overloaded_total", "Requests and connections turned away for want of room.", counts.overloaded},
      {"http_timed_out_total", "Requests and answers that took too long.", counts.timed_out},
      {"http_evicted_total", "Idle connections closed early to make room.", counts.evicted},
      {"http_accept_failures_total", "Connections not accepted for want of descriptors or memory.",
       counts.accept_failures}};
}

// Null where nobody needs a key.
absl::StatusOr<std::unique_ptr<keys::KeyFile>> open_keys(const Settings& settings) {
  if (!settings.tls_key.empty()) {
    if (absl::Status status = keys::check_secret_file(settings.tls_key); !status.ok()) return status;
  }
  if (settings.api_key_file.empty()) return nullptr;
  return keys::KeyFile::open(settings.api_key_file);
}

// On SIGHUP. What cannot be read stays as it was.
void reload(const Settings& settings, keys::KeyFile* keys, http::guard::Server& server) {
  const auto tell = [](const std::string& what, const absl::Status& status) {
    if (status.ok()) log_info("reloaded " + what);
    if (!status.ok()) log_error("not reloaded, the old stay: " + std::string(status.message()));
  };
  if (keys != nullptr) tell("api_key_file=" + settings.api_key_file, keys->reload());
  if (!settings.tls_certificate.empty())
    tell("tls_certificate=" + settings.tls_certificate, server.reload_certificate());
}

// What the forwarder counts, likewise; nothing where nothing is forwarded.
void add_counters_of(const Forwarder* forwarder, std::vector<http::ServiceCounter>& all) {
  if (forwarder == nullptr) return;
  const ForwardCounts counts = forwarder->counts();
  all.push_back({"forward_sent_total", "Runs that the centre has, since the start.", counts.sent});
  all.push_back({"forward_rejected_total", "Runs that the centre will never take.", counts.rejected});
  all.push_back({"forward_put_off_total", "Runs that the centre could not take then, each time.", counts.put_off});
  all.push_back({"forward_failures_total", "Pushes to the centre that failed.", counts.failures});
  all.push_back({"forward_waiting", "Commits' runs that wait to be sent to the centre.", counts.waiting, "gauge"});
  all.push_back({"forward_last_success_timestamp_seconds", "When the centre last took a push; 0: not since the start.",
                 static_cast<std::uint64_t>(counts.last_success / kNanosPerSecond), "gauge"});
}

// To `url`; null where that is empty.
absl::StatusOr<std::unique_ptr<Forwarder>> forwarder_of(const std::string& url, Store& store, Committer& committer) {
  if (url.empty()) return nullptr;
  return Forwarder::create(store, committer, system_clock(),
                           {url, places::environment("KLEPTO_API_KEY"), places::environment("KLEPTO_CA_FILE")});
}

absl::Status run(Settings settings) {
  const sigset_t signals = block_signals(!settings.api_key_file.empty() || !settings.tls_certificate.empty());
  allow_descriptors();
  prepare_heap();
  const Clock& clock = system_clock();
  if (absl::Status status = resolve_places(settings); !status.ok()) return status;

  if (!settings.backup.empty()) return backup_store(settings.store, settings.backup);
  const auto keys = open_keys(settings);
  if (!keys.ok()) return keys.status();
  auto store = open_store(settings.store, settings.verify_store);
  if (!store.ok()) return store.status();
  if (settings.verify_store) return verify(**store, shown(settings.store));
  // A commit is one step of a server that others wait for, too.
  Committer::Options committing;
  if ((*store)->shared()) committing.group_runs_max = 5'000;
  auto committer = Committer::create(**store, clock, committing);
  if (!committer.ok()) return committer.status();
  query::Query query(**store);
  if (!settings.spool_dir.empty()) places::make_private_dir(settings.spool_dir);  // as its first program would
  SpoolWatcher watcher(settings.spool_dir, **store, **committer, clock, settings.watch);
  const JobWatcher::Options learning{.learn = [&query](const std::string& job) { return query.expectation(job); }};
  JobWatcher job_watcher(**store, **committer, clock, learning);
  std::unique_ptr<WatchDuty> duty;  // in its place, where others watch the same jobs
  if ((*store)->shared()) {
    duty = std::make_unique<WatchDuty>(**store, **committer, clock, watcher, holder_name(),
                                       WatchDuty::Options{.watcher = learning});
  } else {
    if (absl::Status status = job_watcher.load(); !status.ok()) return status;
    (*committer)->tell(job_watcher);
  }
  const auto forwarder = forwarder_of(settings.forward, **store, **committer);
  if (!forwarder.ok()) return forwarder.status();
  const http::guard::Server* front = nullptr;
  const http::Api api(
      **committer, query, **store, clock,
      [&] {
        auto counters = counters_of(front->counts());
        add_counters_of(forwarder->get(), counters);
        return counters;
      },
      [&](const auto& commands, const http::Peer& peer) {
        watcher.heard(commands, {peer.pid, peer.open_pidfd});
      });
  http::guard::Authorize authorize;
  if (*keys != nullptr) {
    authorize = [&](const http::Request& request, std::optional<std::string_view> authorization) {
      return api.authorize(request, authorization, *(*keys)->ring());
    };
  }
  auto server = http::guard::Server::create({.listen = settings.listen,
                                             .authorize = authorize,
                                             .allowed_hosts = settings.allowed_hosts,
                                             .tls_certificate = settings.tls_certificate,
                                             .tls_key = settings.tls_key,
                                             .socket_path = settings.socket,
                                             .socket_mode = settings.socket_mode},
                                            [&api](const http::Request& request) { return api.handle(request); });
  if (!server.ok()) return server.status();
  front = server->get();

  (*committer)->start();
  // Adopts what the spool has before anything is judged, or served.
  watcher.start([&](std::vector<Run> runs) {
    if (!duty) job_watcher.committed(std::move(runs), clock.now().wall);
  });
  duty ? duty->start() : job_watcher.start();
  if (*forwarder) (*forwarder)->start();
  (*server)->start();
  absl::Status status = write_ready_file(settings.ready_file, **server);
  if (status.ok()) {
    log_info("ready listen=" + (*server)->listen_address() + " socket=" + (*server)->socket_path() +
             " store=" + shown(settings.store) + " spool=" + settings.spool_dir);
    status = wait_for_the_end(signals, **committer, [&] { reload(settings, keys->get(), **server); });
  }
  timed("serving", [&] { (*server)->stop(); });
  timed("watching", [&] {
    watcher.stop();
    job_watcher.stop();
    if (duty) duty->stop();
  });
  if (*forwarder) timed("forwarding", [&] { (*forwarder)->stop(); });
  timed("committing", [&] { (*committer)->stop(); });
  if (!settings.ready_file.empty()) ::unlink(settings.ready_file.c_str());
  return status;
}

absl::Status wait_for_the_end(const sigset_t& signals, const Committer& committer,
                              const std::function<void()>& reload) {
  const timespec second{1, 0};
  for (;;) {
    const int signal = ::sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGHUP) {
      reload();
    } else if (signal > 0) {
      log_info(std::string("stopping signal=") + (signal == SIGTERM ? "SIGTERM" : "SIGINT"));
      return absl::OkStatus();
    }
    // A store that cannot go on: end, so that a restart recovers from what is on disk.
    if (absl::Status fatal = committer.fatal_error(); !fatal.ok()) return fatal;
  }
}

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Written aside and renamed, so that whoever waits for it reads all of it.
absl::Status write_ready_file(const std::string& path, const http::guard::Server& server) {
  if (path.empty()) return absl::OkStatus();
  const std::string aside = path + ".new";
  std::ofstream file(aside, std::ios::trunc);
  file << "{\"listen\":" << json_string(server.listen_address()) << ",\"socket\":" << json_string(server.socket_path())
       << "}\n";
  file.close();
  if (file.fail() || std::rename(aside.c_str(), path.c_str()) != 0)
    return absl::FailedPreconditionError(absl::StrCat("write ready file ", path, ": ", std::strerror(errno)));
  return absl::OkStatus();
}

}  // namespace
}  // namespace kleptometrics::aggregator

int main(int argc, char** argv) {
  using namespace kleptometrics::aggregator;  // NOLINT(google-build-using-namespace): this file is its end
  absl::StatusOr<Settings> settings = read_settings(argc, argv);
  absl::Status status = settings.status();
  if (status.ok()) {
    status = settings->new_api_key.empty() ? run(*std::move(settings))
                                           : keys::print_new_key(settings->new_api_key, settings->api_key_file);
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "kleptometricsd: %s\n", std::string(status.message()).c_str());
  return 1;
}
