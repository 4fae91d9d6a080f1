#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace kleptometrics::tests {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

struct Output {
  int code = -1;
  std::string text;
};

Output run(const std::string& command) {
  Output output;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start " + command);
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    output.text.append(buffer.data(), got);
  output.code = ::pclose(pipe);
  while (!output.text.empty() && output.text.back() == '\n') output.text.pop_back();
  return output;
}

void must_run(const std::string& command) {
  const Output output = run(command);
  if (output.code != 0) throw std::runtime_error(command + ": " + output.text);
}

// Who is not root; null if we are not, and nobody need be.
const passwd* other_user() {
  if (::geteuid() != 0) return nullptr;
  for (const char* const name : {"postgres", "nobody"})
    if (const passwd* const entry = ::getpwnam(name); entry != nullptr) return entry;
  throw std::runtime_error("no user that PostgreSQL could run as");
}

std::string as_other_user() {
  const passwd* const user = other_user();
  return user == nullptr ? "" : std::string("runuser -u ") + user->pw_name + " -- ";
}

void give(const std::string& path) {
  const passwd* const user = other_user();
  if (user != nullptr) must_run("chown -R " + std::string(user->pw_name) + " " + path);
}

// The files of a new server take a second to make, and a moment to copy: one is kept for all test programs of a build.
std::string pristine(const std::string& programs) {
  const std::string kept = std::string(KLEPTO_TEST_SCRATCH) + "/postgres";
  must_run("mkdir -p " KLEPTO_TEST_SCRATCH);
  const int lock = ::open((kept + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX) != 0) throw std::runtime_error("cannot lock " + kept);
  if (::access((kept + "/PG_VERSION").c_str(), R_OK) != 0) {
    const TempDir made;
    give(made.path());
    must_run("cd / && " + as_other_user() + programs + "/initdb -D " + (made / "data") +
             " -U klepto --auth=trust -E UTF8 --locale=C --no-sync --wal-segsize=4");
    must_run("rm -rf " + kept + ".new && cp -a " + (made / "data") + " " + kept + ".new && mv " + kept + ".new " +
             kept);
  }
  ::close(lock);
  return kept;
}

// In the child: never returns.
[[noreturn]] void become(const std::string& program, const std::vector<std::string>& arguments,
                         const std::string& log) {
  const passwd* const user = other_user();
  if (user != nullptr &&
      (::initgroups(user->pw_name, user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
    ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // ends at once, should we
  const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

// Of the process, from /proc.
std::vector<pid_t> children_of(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace

std::string PostgresServer::programs() {
  std::string newest;
  int newest_version = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string bin = entry.path().string() + "/bin";
    const int version = std::atoi(entry.path().filename().c_str());
    if (version <= newest_version || ::access((bin + "/initdb").c_str(), X_OK) != 0) continue;
    newest_version = version;
    newest = bin;
  }
  return newest;
}

PostgresServer* PostgresServer::shared() {
  static const std::unique_ptr<PostgresServer> server = [] {
    if (!programs().empty()) return std::make_unique<PostgresServer>();
    std::cerr << "There is no PostgreSQL server here (Debian: postgresql): nothing is tested on one\n";
    return std::unique_ptr<PostgresServer>();
  }();
  return server.get();
}

PostgresServer::PostgresServer(Options options) : options_(std::move(options)) {
  if (programs().empty()) throw std::runtime_error("PostgreSQL is not installed");
  give(folder_.path());
  make_data();
  start();
}

PostgresServer::~PostgresServer() {
  if (::getpid() == owner_) kill();  // else a forked child's copy
}

void PostgresServer::make_data() {
  const std::string durable = options_.durable ? "on" : "off";
  if (options_.standby_of.empty()) {
    must_run("cp -a " + pristine(programs()) + " " + data_);
  } else {
    must_run("cd / && " + as_other_user() + programs() + "/pg_basebackup -D " + data_ + " -h " + options_.standby_of +
             " -U klepto -c fast --no-sync -X stream");
    std::ofstream(data_ + "/standby.signal").close();
  }
  std::ofstream settings(data_ + "/postgresql.conf", std::ios::app);
  settings << "\nlisten_addresses = ''\nunix_socket_directories = '" << folder_.path() << "'\nport = 5432\n"
           << "fsync = " << durable << "\nfull_page_writes = " << durable << "\nshared_buffers = 64MB\n"
           << "recovery_init_sync_method = syncfs\n"
           << "max_connections = 100\nmax_wal_senders = 4\ndynamic_shared_memory_type = posix\n";
  if (!options_.standby_of.empty()) {
    settings << "primary_conninfo = 'host=" << options_.standby_of << " user=klepto application_name=" << options_.name
             << "'\n";
  }
  for (const std::string& setting : options_.settings) settings << setting << "\n";
  settings.close();
  give(data_);
  must_run("chmod 700 " + data_);
}

void PostgresServer::start() {
  const std::string program = programs() + "/postgres";
  const std::string log = folder_ / "log";
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) become(program, {program, "-D", data_}, log);
  wait_until_ready();
}

void PostgresServer::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  const std::string ask = programs() + "/pg_isready -q -h " + folder_.path();
  while (run(ask).code != 0) {
    const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("PostgreSQL does not start: " + run("tail -n 20 " + (folder_ / "log")).text);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// The server itself first, or it would start others. They must all be gone before another may use the data.
void PostgresServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGSTOP);
  const std::vector<pid_t> children = children_of(pid_);
  ::kill(pid_, SIGKILL);
  for (const pid_t child : children) ::kill(child, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  for (const pid_t child : children)
    while (::kill(child, 0) == 0 && run("grep -q '^State:.Z' /proc/" + std::to_string(child) + "/status").code != 0)
      std::this_thread::yield();
  pid_ = -1;
}

void PostgresServer::promote() { psql("postgres", "SELECT pg_promote(true, 60)"); }

std::string PostgresServer::url(const std::string& database) const {
  std::string host;
  for (const char c : folder_.path()) host += c == '/' ? std::string("%2F") : std::string(1, c);
  return "postgresql://klepto@" + host + "/" + database;
}

std::string PostgresServer::fresh_url() {
  const std::string name = "store" + std::to_string(++databases_);
  psql("postgres", "CREATE DATABASE " + name);
  return url(name);
}

std::string PostgresServer::psql(const std::string& database, const std::string& sql) const {
  const Output output = run(programs() + "/psql -X -q -A -t -v ON_ERROR_STOP=1 -h " + folder_.path() +
                            " -U klepto -d " + database + " -c \"" + sql + "\"");
  if (output.code != 0) throw std::runtime_error("psql: " + output.text);
  return output.text;
}

}  // namespace kleptometrics::tests
