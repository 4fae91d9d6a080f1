#include "aggregator/settings/settings.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/places.h"

ABSL_FLAG(std::string, listen, kleptometrics::places::kDefaultListen,
          "HOST:PORT of the HTTP server on TCP; port 0 picks a free one; empty for none. Beyond loopback only with "
          "--api_key_file, --tls_certificate and --tls_key");
ABSL_FLAG(std::string, socket, "auto",
          "path of a Unix socket that serves the same HTTP API; empty for none. auto: as root "
          "/run/kleptometrics/kleptometrics.sock (open to all local users), else "
          "$XDG_RUNTIME_DIR/kleptometrics/kleptometrics.sock, without that variable kleptometrics.sock in the state "
          "directory");
ABSL_FLAG(
    std::string, store, "auto",
    "where runs are kept: sqlite:PATH, or memory: (gone at the end). auto: sqlite:runs.db in the state directory, "
    "which is /var/lib/kleptometrics as root, else $XDG_STATE_HOME/kleptometrics or "
    "~/.local/state/kleptometrics");
ABSL_FLAG(std::string, spool_dir, "auto",
          "directory whose journals of dead programs are picked up; empty for none. auto: as root "
          "/var/spool/kleptometrics with a directory a user, else spool in the state directory");
ABSL_FLAG(std::vector<std::string>, watch, std::vector<std::string>({"pidfd", "file", "peer"}),
          "how the end of a program is noticed: by its process, named by its journal (pidfd); by its journal being let "
          "go of (file); by the process that pushed over the Unix socket (peer). Without any: by journals, looked at "
          "now and then, and by --lost_after_seconds");
ABSL_FLAG(unsigned, lost_after_seconds, 90,
          "when nothing was heard for so long of a run whose program cannot be watched, on another machine, contact "
          "with it is lost: it counts as crashed until its program says otherwise. Programs report every 5 s, or as "
          "their snapshot_interval has it, and at least every 30 s");
ABSL_FLAG(std::string, api_key_file, "",
          "file of the API keys that open the TCP address, a line each: NAME SCOPE SHA256, where SCOPE is read, write "
          "(reports runs, and reads) or admin (all); # begins a comment. Without it nobody needs a key. On the Unix "
          "socket, which its permissions protect, nobody does. Read again on SIGHUP");
ABSL_FLAG(std::string, new_api_key, "",
          "NAME:SCOPE. Make an API key, print it on stdout, this once, add its line to --api_key_file (without that "
          "flag print it on stderr), and end");
ABSL_FLAG(std::string, tls_certificate, "",
          "PEM file of the certificate by which the TCP address proves who it is, followed by those between it and its "
          "root: from then on https alone is spoken there. Read again on SIGHUP");
ABSL_FLAG(std::string, tls_key, "",
          "PEM file of the key of --tls_certificate, without a passphrase, for its owner alone");
ABSL_FLAG(std::vector<std::string>, allowed_hosts, {},
          "names, beside those of the certificate and of this machine, by which requests on TCP may call it in their "
          "field Host, such as that of a proxy in front; *.example.org for all of one label more");
ABSL_FLAG(
    unsigned, forwarded_lost_after_seconds, 3600,
    "the same of a run that another aggregator forwards, which watches over its program itself: it is silent where "
    "the way between the two is down, or its machine is lost for good");
ABSL_FLAG(
    std::string, forward, "",
    "http://host:port, https://host:port or unix:/path of another aggregator, a centre, to which what is committed to this store from "
    "now on is passed on. While it is away, that waits in the store. KLEPTO_API_KEY: the key to show there. "
    "KLEPTO_CA_FILE: certificates (PEM) that alone are trusted for https. Empty: nowhere");
ABSL_FLAG(
    bool, verify_store, false,
    "count everything in the store anew, say where what was derived from runs is not what they say, and end: 0 if "
    "nothing is wrong. No aggregator may have it open");
ABSL_FLAG(
    std::string, backup, "",
    "write a consistent copy of the store to this file, which must not exist, and end. Other aggregators may go on "
    "writing to the store meanwhile");
ABSL_FLAG(std::string, ready_file, "",
          "file that is written when ready to serve, with the real addresses as JSON: "
          "{\"listen\":\"127.0.0.1:9461\",\"socket\":\"...\"}");

namespace kleptometrics::aggregator {
namespace {

constexpr char kUsage[] =
    "keeps the history of batch jobs and answers questions about it over HTTP.\n\n"
    "Programs that link the kleptometrics client library, and anything that can speak HTTP, report their runs\n"
    "to it. Nothing needs to be configured; every flag may also stand in a file, one --flag=value a line, given\n"
    "as --flagfile=FILE.\n\n"
    "  curl -s localhost:9461/api/v1/jobs                 all jobs\n"
    "  curl -s localhost:9461/api/v1/jobs/NAME/runs       runs of one\n"
    "  curl -s localhost:9461/api/v1/jobs/NAME/stats      its high, low and median run times";

void describe_flags() {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig config;
  const auto ours = [](absl::string_view file) { return absl::EndsWith(file, "aggregator/settings/settings.cc"); };
  config.contains_help_flags = ours;
  config.contains_helpshort_flags = ours;
  config.version_string = [] { return std::string("kleptometricsd " KLEPTO_VERSION "\n"); };
  absl::SetFlagsUsageConfig(config);
}

absl::Status make_dir(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (::chmod(path.c_str(), mode) == 0) return absl::OkStatus();  // mkdir's mode is cut by the umask
  } else if (errno == EEXIST) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("make ", path, ": ", std::strerror(errno)));
}

absl::Status make_private(const std::string& path) {
  std::string problem = places::make_private_dir(path);
  return problem.empty() ? absl::OkStatus() : absl::FailedPreconditionError(problem);
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Places of a service that root runs. Only the directories that are needed are made.
absl::Status resolve_system(Settings& settings) {
  absl::Status status;
  if (settings.store == "auto") {
    status.Update(make_dir(places::kSystemState, 0700));
    settings.store = absl::StrCat("sqlite:", places::kSystemState, "/runs.db");
  }
  if (settings.socket == "auto") {
    settings.socket = places::kSystemSocket;
    settings.socket_mode = 0666;
    status.Update(make_dir(parent_of(settings.socket), 0755));
  }
  if (settings.spool_dir == "auto") {
    settings.spool_dir = places::kSystemSpool;
    status.Update(make_dir(settings.spool_dir, 01777));
  }
  return status;
}

absl::Status resolve_user(Settings& settings) {
  const std::string state = places::user_state_dir();
  absl::Status status;
  if (settings.store == "auto") {
    status.Update(make_private(state));
    settings.store = absl::StrCat("sqlite:", state, "/runs.db");
  }
  if (settings.socket == "auto") {
    settings.socket = places::user_socket();
    status.Update(make_private(parent_of(settings.socket)));
  }
  if (settings.spool_dir == "auto") {
    settings.spool_dir = places::user_spool_dir();
    status.Update(make_private(settings.spool_dir));
  }
  return status;
}

absl::StatusOr<WatchOptions> watch_options() {
  WatchOptions options;
  options.pidfds = options.files = options.peers = false;
  for (const std::string& way : absl::GetFlag(FLAGS_watch)) {
    bool* const known = way == "pidfd"  ? &options.pidfds
                        : way == "file" ? &options.files
                        : way == "peer" ? &options.peers
                                        : nullptr;
    if (known == nullptr)
      return absl::InvalidArgumentError(absl::StrCat("--watch: \"", way, "\" is none of pidfd, file, peer"));
    *known = true;
  }
  options.lease = std::max<Nanos>(absl::GetFlag(FLAGS_lost_after_seconds), 1) * kNanosPerSecond;
  options.forwarded_lease = std::max<Nanos>(absl::GetFlag(FLAGS_forwarded_lost_after_seconds), 1) * kNanosPerSecond;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    options.pidfds_max = std::min<std::size_t>(options.pidfds_max, limit.rlim_cur / 2);
  return options;
}

}  // namespace

absl::StatusOr<Settings> read_settings(int argc, char** argv) {
  describe_flags();
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  if (arguments.size() > 1)
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument \"", arguments[1], "\"; see --help"));
  absl::StatusOr<WatchOptions> watch = watch_options();
  if (!watch.ok()) return watch.status();
  return Settings{.listen = absl::GetFlag(FLAGS_listen),
                  .socket = absl::GetFlag(FLAGS_socket),
                  .store = absl::GetFlag(FLAGS_store),
                  .spool_dir = absl::GetFlag(FLAGS_spool_dir),
                  .ready_file = absl::GetFlag(FLAGS_ready_file),
                  .backup = absl::GetFlag(FLAGS_backup),
                  .verify_store = absl::GetFlag(FLAGS_verify_store),
                  .forward = absl::GetFlag(FLAGS_forward),
                  .api_key_file = absl::GetFlag(FLAGS_api_key_file),
                  .new_api_key = absl::GetFlag(FLAGS_new_api_key),
                  .tls_certificate = absl::GetFlag(FLAGS_tls_certificate),
                  .tls_key = absl::GetFlag(FLAGS_tls_key),
                  .allowed_hosts = absl::GetFlag(FLAGS_allowed_hosts),
                  .watch = *watch};
}

absl::Status resolve_places(Settings& settings) {
  return ::geteuid() == 0 ? resolve_system(settings) : resolve_user(settings);
}

std::string shown(const std::string& store) {
  const std::size_t scheme = store.find("://");
  if (scheme == std::string::npos) return store;
  const std::string rest = store.substr(scheme + 3, store.find('?') - scheme - 3);
  return store.substr(0, scheme + 3) + rest.substr(rest.rfind('@') + 1);
}

}  // namespace kleptometrics::aggregator
