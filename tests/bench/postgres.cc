#include "tests/bench/postgres.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>

#include "lib/base/clock.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::bench {
namespace {

constexpr double kSlowMilliseconds = 500;

using Pipe = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Pipe open_pipe(const std::string& command, const char* mode) {
  Pipe pipe(::popen(command.c_str(), mode), ::pclose);
  if (!pipe) throw std::runtime_error("cannot start " + command);
  return pipe;
}

void finish(Pipe& pipe, const std::string& what) {
  if (::pclose(pipe.release()) != 0) throw std::runtime_error(what + " failed");
}

std::string output_of(const std::string& command) {
  Pipe pipe = open_pipe(command, "r");
  std::string output;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
    output.append(buffer.data(), got);
  if (::pclose(pipe.release()) != 0) throw std::runtime_error(command + " failed: " + output);
  return output;
}

// Someone who is not root: empty, and the command runs as we do, if we are not.
std::string unprivileged_user() {
  if (::geteuid() != 0) return "";
  for (const char* name : {"postgres", "nobody"})
    if (::getpwnam(name) != nullptr) return name;
  throw std::runtime_error("no user that PostgreSQL could run as");
}

void append_row(std::string& rows, const History& history, const Sample& run) {
  char text[256];
  const int size = std::snprintf(text, sizeof text, "%s\t%s\t%d\t2\t%lld\t%lld\t%lld\t%s\n", run.id.text().c_str(),
                                 history.job_name(run.job).c_str(), run.failed ? 3 : 2,
                                 static_cast<long long>(run.started_at), static_cast<long long>(run.finished_at),
                                 static_cast<long long>(run.duration), history.host_name(run.host).c_str());
  rows.append(text, static_cast<std::size_t>(size));
}

}  // namespace

struct Postgres::Folder {
  tests::TempDir dir;
  std::string as_user;  // put before commands that must not run as root

  Folder() {
    const std::string user = unprivileged_user();
    if (user.empty()) return;
    const passwd* entry = ::getpwnam(user.c_str());
    if (::chown(dir.path().c_str(), entry->pw_uid, entry->pw_gid) != 0)
      throw std::runtime_error("cannot give a folder to " + user);
    as_user = "runuser -u " + user + " -- ";
  }
};

std::string Postgres::programs() {
  std::string newest;
  int newest_version = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string bin = entry.path().string() + "/bin";
    const int version = std::atoi(entry.path().filename().c_str());
    const bool whole = ::access((bin + "/initdb").c_str(), X_OK) == 0 && ::access((bin + "/psql").c_str(), X_OK) == 0;
    if (!whole || version <= newest_version) continue;
    newest_version = version;
    newest = bin;
  }
  return newest;
}

Postgres::Postgres(const std::string& programs) : programs_(programs), folder_(std::make_unique<Folder>()) {
  const std::string data = folder_->dir / "data";
  const std::string in_place = "cd " + folder_->dir.path() + " && " + folder_->as_user;
  output_of(in_place + programs + "/initdb -D " + data + " -U bench --auth=trust -E UTF8 --locale=C 2>&1");
  output_of(in_place + programs + "/pg_ctl -D " + data + " -l " + (folder_->dir / "log") + " -w -o \"-k " +
            folder_->dir.path() +
            " -c listen_addresses='' -c shared_buffers=512MB -c max_wal_size=4GB\" start >/dev/null 2>&1");
  query(
      "CREATE TABLE runs (id uuid PRIMARY KEY, job text NOT NULL, state smallint NOT NULL, revision integer NOT NULL, "
      "started bigint NOT NULL, finished bigint, duration bigint, host text)");
  query("CREATE INDEX runs_by_job ON runs (job, started)");
}

Postgres::~Postgres() {
  const std::string stop = "cd " + folder_->dir.path() + " && " + folder_->as_user + programs_ + "/pg_ctl -D " +
                           (folder_->dir / "data") + " -m immediate -w stop >/dev/null 2>&1";
  if (std::system(stop.c_str()) != 0)
    std::fprintf(stderr, "PostgreSQL in %s did not stop\n", folder_->dir.path().c_str());
}

std::string Postgres::psql(const std::string& options) const {
  return programs_ + "/psql -X -q -A -t -v ON_ERROR_STOP=1 -h " + folder_->dir.path() + " -U bench -d postgres " +
         options;
}

std::string Postgres::query(const std::string& sql) const { return output_of(psql("-c \"" + sql + "\" 2>&1")); }

double Postgres::copy(const History& history, std::uint64_t runs, std::size_t batch, unsigned connections) {
  std::vector<std::string> problems(connections);
  // Each takes every n-th batch.
  const auto feed = [&](unsigned connection) {
    Pipe pipe = open_pipe(psql("-f -"), "w");
    std::string text;
    for (std::uint64_t first = connection * batch; first < runs; first += connections * batch) {
      text = "COPY runs FROM STDIN;\n";
      for (std::uint64_t number = first; number < std::min<std::uint64_t>(runs, first + batch); ++number)
        append_row(text, history, history.run(number));
      text += "\\.\n";
      if (std::fwrite(text.data(), 1, text.size(), pipe.get()) != text.size()) break;
    }
    finish(pipe, "COPY");
  };
  const Nanos begin = system_steady();
  std::vector<std::thread> threads;
  for (unsigned connection = 0; connection < connections; ++connection) {
    threads.emplace_back([&, connection] {
      try {
        feed(connection);
      } catch (const std::exception& error) {
        problems[connection] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = static_cast<double>(system_steady() - begin) / static_cast<double>(kNanosPerSecond);
  for (const std::string& problem : problems)
    if (!problem.empty()) throw std::runtime_error(problem);
  if (query("SELECT count(*) FROM runs") != std::to_string(runs) + "\n")
    throw std::runtime_error("PostgreSQL has not taken all runs");
  return static_cast<double>(runs) / seconds;
}

void Postgres::settle() {
  query("CREATE INDEX runs_failed ON runs (started) WHERE state >= 3");
  query("VACUUM ANALYZE runs");
}

double Postgres::bytes_on_disk() const { return std::atof(query("SELECT pg_total_relation_size('runs')").c_str()); }

std::string Postgres::fresh_store(const std::string& name) const {
  query("CREATE DATABASE " + name);
  return "postgresql:///" + name + "?user=bench&host=" + folder_->dir.path();
}

double Postgres::bytes_of(const std::string& database) const {
  return std::atof(query("SELECT pg_database_size('" + database + "')").c_str());
}

std::vector<double> Postgres::times_of(const Question& question, unsigned times) const {
  const std::string script = folder_->dir / "script.sql";
  std::ofstream file(script);
  file << "\\timing on\n\\o /dev/null\n";
  for (unsigned n = 0; n <= times; ++n) file << question.as_sql(n) << ";\n";
  file.close();
  const std::string output = output_of(psql("-f " + script + " 2>&1"));
  std::vector<double> milliseconds;
  for (std::size_t at = output.find("Time: "); at != std::string::npos; at = output.find("Time: ", at + 1))
    milliseconds.push_back(std::atof(output.c_str() + at + 6));
  if (milliseconds.size() != times + 1) throw std::runtime_error("psql: " + output);
  milliseconds.erase(milliseconds.begin());  // without looking, as we do with our own
  return milliseconds;
}

std::vector<double> Postgres::ask(const std::vector<Question>& questions, unsigned times) {
  std::vector<double> medians;
  for (const Question& question : questions) {
    if (!question.as_sql) {
      medians.push_back(0);
      continue;
    }
    const double first = median_of(times_of(question, 3));
    medians.push_back(first > kSlowMilliseconds ? first : median_of(times_of(question, times)));
  }
  return medians;
}

}  // namespace kleptometrics::bench
