// A store under test and the verbs that its tests speak. One suite runs over every kind of store: a test
// begins with `Shop shop(GENERATE(from_range(kinds())))`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/postgres/postgres_store.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"
#include "aggregator/wire/wire.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator {

struct Kind {
  const char* name;
  bool durable;
  std::size_t settle_runs = SqliteOptions().settle_runs;
  std::string (*url)() = nullptr;  // of a fresh store on a server
  bool at_once = false;            // PostgresOptions::settle_at_once
};
// By a thread of the store, or at once when so many runs wait.
inline Kind postgres_kind(const char* name, std::size_t settle_runs = 0) {
  return {name, true, settle_runs == 0 ? PostgresOptions().settle_runs : settle_runs,
          [] { return tests::PostgresServer::shared()->fresh_url(); }, settle_runs != 0};
}
inline Kind redis_kind() {
  return {.name = "redis", .durable = true, .url = [] { return tests::RedisServer::shared()->fresh_url(); }};
}
// Whether there is a server, and this build can talk to it.
inline bool redis_is_there() {
  static const bool built = !absl::IsInvalidArgument(open_store("redis+unix:///nowhere").status());
  return built && tests::RedisServer::shared() != nullptr;
}
inline bool postgres_is_there() {
  static const bool built = !absl::IsInvalidArgument(open_store("postgresql:///no?host=/nowhere").status());
  return built && tests::PostgresServer::shared() != nullptr;
}
inline std::vector<Kind> kinds() {
  std::vector<Kind> all = {{"memory", false}, {"sqlite", true}, {"sqlite that settles often", true, 7}};
  if (redis_is_there()) all.push_back(redis_kind());
  if (postgres_is_there()) {
    all.push_back(postgres_kind("postgresql"));
    all.push_back(postgres_kind("postgresql that settles often", 7));
  }
  return all;
}
inline std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

// The same snapshot with a label and a message added to it over HTTP, `revision` of them.
inline Run annotated(Run run, std::uint64_t revision, const std::string& ticket = "42") {
  run.annotations = {revision, {{"ticket", ticket}}, "message " + ticket};
  return run;
}

inline Run verdict_on(Run run) {
  run = fakes::finished(std::move(run), fakes::seconds(1), State::kCrashed);
  run.verdict = true;
  return run;
}

template <typename T>
T must(absl::StatusOr<T> value) {
  if (!value.ok()) FAIL(value.status());
  return *std::move(value);
}

// One of those that share the server's store of the URL.
inline absl::StatusOr<std::unique_ptr<Store>> open_at(const Kind& kind, const std::string& url) {
  if (!url.starts_with("postgresql:")) return open_store(url);
  return open_postgres(url, {.settle_runs = kind.settle_runs, .settle_at_once = kind.at_once});
}

class Shop {
 public:
  explicit Shop(Kind kind) : kind_(kind) { open(); }

  Store& store() { return *store_; }
  bool durable() const { return kind_.durable; }
  std::string path() const { return folder_ / "runs.db"; }

  void open() {
    if (kind_.url != nullptr) {
      if (url_.empty()) url_ = kind_.url();
      store_ = must(open_at(kind_, url_));
      return;
    }
    store_ = must(durable() ? open_sqlite(path(), {.settle_runs = kind_.settle_runs}) : open_store("memory:"));
  }
  // Ends the store and opens it again; one that keeps nothing stays as it is.
  void reopen() {
    if (!durable()) return;
    store_.reset();
    open();
  }

  std::vector<Applied> commit(const std::vector<Run>& runs) { return must(store_->commit(runs, now)); }
  Applied commit(const Run& run) { return commit(std::vector<Run>{run}).at(0); }

  std::optional<Run> run(const Uuid& id) { return must(store_->run(id)); }
  // Canonical bytes of what is stored; empty if nothing is.
  std::string bytes(const Uuid& id) {
    const auto stored = run(id);
    return stored ? wire::encode_run(*stored) : "";
  }
  RunPage page(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t limit) {
    return must(store_->runs(filter, after, limit));
  }
  // All runs of the filter, newest first, read in pages of `limit`.
  std::vector<Run> list(const RunFilter& filter = {}, std::size_t limit = 1000) {
    std::vector<Run> all;
    std::optional<RunCursor> after;
    do {
      RunPage page = this->page(filter, after, limit);
      REQUIRE((page.next ? page.runs.size() == limit : page.runs.size() <= limit));
      std::ranges::move(page.runs, std::back_inserter(all));
      after = page.next;
    } while (after);
    return all;
  }
  // All runs of the filter as scan() gives them, put in the order of list().
  std::vector<Run> scan(const RunFilter& filter = {}) {
    std::vector<Run> all;
    const absl::Status status = store_->scan(filter, [&](const Run& run) { all.push_back(run); });
    if (!status.ok()) FAIL(status);
    std::ranges::sort(all, [](const Run& a, const Run& b) {
      return std::make_pair(a.started_at, a.id) > std::make_pair(b.started_at, b.id);
    });
    return all;
  }
  std::vector<std::string> jobs() {
    std::vector<std::string> names;
    for (const JobHead& head : must(store_->jobs())) names.push_back(head.name);
    return names;
  }

  Nanos now = 0;  // of commits; the test's to set

 private:
  Kind kind_;
  tests::TempDir folder_;
  std::string url_;
  std::unique_ptr<Store> store_;
};

}  // namespace kleptometrics::aggregator
