// PostgreSQL beside us, where it is installed: a server of our own in a temporary folder on a Unix socket, with its
// usual promises of durability. It takes the same runs and is asked the same questions. As root it runs as another
// user, because it refuses to run as root.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/history.h"
#include "tests/bench/questions.h"

namespace kleptometrics::bench {

class Postgres {
 public:
  // The folder with initdb, pg_ctl and psql of the newest version; empty: it is not installed.
  static std::string programs();

  // Started, with an empty table `runs`: primary key `id`, index on (job, started). Throws std::runtime_error.
  explicit Postgres(const std::string& programs);
  ~Postgres();  // stopped
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  // COPY of the first `runs` of the history, so many a transaction, on so many connections. Runs a second.
  double copy(const History& history, std::uint64_t runs, std::size_t batch, unsigned connections);
  // An index of failures alone, VACUUM and ANALYZE: as somebody would who wants answers.
  void settle();
  double bytes_on_disk() const;  // of the table with its indexes
  // Of a database that was just made on the same server, for --store.
  std::string fresh_store(const std::string& name) const;
  double bytes_of(const std::string& database) const;
  // Median milliseconds of each, as its psql sees them; 0 for those without SQL. Slow ones are asked three times.
  std::vector<double> ask(const std::vector<Question>& questions, unsigned times);

 private:
  struct Folder;
  std::string psql(const std::string& options) const;
  std::string query(const std::string& sql) const;  // its output
  std::vector<double> times_of(const Question& question, unsigned times) const;

  const std::string programs_;
  std::unique_ptr<Folder> folder_;
};

}  // namespace kleptometrics::bench
