#include "aggregator/store/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"
#include "aggregator/store/postgres/status.h"

namespace kleptometrics::aggregator::postgres {
namespace {

// The server breaks statements off by itself before we do (but not the wait of a COMMIT for a standby).
constexpr Nanos kPatience = 40 * kNanosPerSecond;
constexpr std::size_t kPreparedMax = 300;
constexpr int kVersionMin = 120'000;

// Questions here are made for their indexes, and tables grow faster than their statistics are looked at.
constexpr char kSettings[] =
    "SET search_path = kleptometrics, pg_catalog;"
    "SET statement_timeout = '30s'; SET lock_timeout = '15s'; SET idle_in_transaction_session_timeout = '60s';"
    "SET plan_cache_mode = force_generic_plan; SET jit = off;"
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off";
// Acknowledged means durable. Other values than `off` say how far a standby is waited for, and are the server's.
constexpr char kDurable[] =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

}  // namespace

Rows::Rows(pg_result* result) : result_(result), size_(static_cast<std::size_t>(PQntuples(result))) {}

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

bool Rows::null(std::size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::string_view Rows::bytes(std::size_t row, int column) const {
  return {PQgetvalue(result_.get(), static_cast<int>(row), column),
          static_cast<std::size_t>(PQgetlength(result_.get(), static_cast<int>(row), column))};
}

std::int64_t Rows::integer(std::size_t row, int column) const { return read_number(bytes(row, column)); }

Uuid Rows::uuid(std::size_t row, int column) const { return Uuid::from_bytes(bytes(row, column)).value_or(Uuid{}); }

std::uint64_t Rows::affected() const { return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10); }

// Where notices go: libpq would print them.
struct Connection::Notices {
  bool warned = false;
  std::string last;
};

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Connection::Connection(Handle handle, std::unique_ptr<Notices> notices)
    : handle_(std::move(handle)), notices_(std::move(notices)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

absl::StatusOr<Connection> Connection::open(const Target& target) {
  Handle handle(target.connect());
  if (handle == nullptr) return absl::UnavailableError("out of memory");
  if (PQstatus(handle.get()) != CONNECTION_OK) return status_of(handle.get());
  if (PQserverVersion(handle.get()) < kVersionMin)
    return absl::FailedPreconditionError("the server is older than PostgreSQL 12");
  auto notices = std::make_unique<Notices>();
  PQsetNoticeReceiver(
      handle.get(),
      [](void* to, const PGresult* notice) {
        const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
        if (severity == nullptr || std::strcmp(severity, "WARNING") != 0) return;
        auto& its = *static_cast<Notices*>(to);
        its.warned = true;
        const char* const said = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
        its.last = in_one_line(said == nullptr ? "" : said);
      },
      notices.get());
  Connection connection(std::move(handle), std::move(notices));
  if (PQsetnonblocking(connection.handle_.get(), 1) != 0) return absl::UnavailableError("libpq does not wait");
  if (absl::Status status = connection.set_up(); !status.ok()) return status;
  return connection;
}

absl::Status Connection::set_up() {
  if (absl::Status status = run(kSettings); !status.ok()) return status;
  const absl::StatusOr<Rows> changed = query(kDurable);
  if (!changed.ok()) return changed.status();
  static std::atomic<bool> told = false;
  if (!changed->empty() && !told.exchange(true))
    log_info("the server has synchronous_commit = off; commits of this store wait for the disk all the same");
  return absl::OkStatus();
}

absl::Status Connection::lost() const { return absl::UnavailableError("the connection to the server is lost"); }

// Whoever comes next sees that it is.
absl::Status Connection::broken(const absl::Status& cause) {
  handle_.reset();
  prepared_.clear();
  return cause;
}

absl::Status Connection::wait(Nanos deadline, bool writable) {
  const Nanos left = deadline - system_steady();
  if (left <= 0) return absl::UnavailableError("the server does not answer");
  pollfd its{PQsocket(handle_.get()), static_cast<short>(writable ? POLLIN | POLLOUT : POLLIN), 0};
  const int ready = ::poll(&its, 1, static_cast<int>(std::min<Nanos>(left / 1'000'000 + 1, 60'000)));
  if (ready < 0 && errno != EINTR) return absl::UnavailableError("poll failed");
  if (ready > 0 && (its.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && PQconsumeInput(handle_.get()) == 0)
    return status_of(handle_.get());
  return absl::OkStatus();
}

absl::Status Connection::flush(Nanos deadline) {
  for (;;) {
    const int left = PQflush(handle_.get());
    if (left == 0) return absl::OkStatus();
    if (left < 0) return status_of(handle_.get());
    if (absl::Status status = wait(deadline, true); !status.ok()) return status;
  }
}

absl::StatusOr<Connection::Result> Connection::next_result() {
  const Nanos deadline = system_steady() + kPatience;
  if (absl::Status status = flush(deadline); !status.ok()) return broken(status);
  while (PQisBusy(handle_.get()) != 0) {
    if (absl::Status status = wait(deadline, false); !status.ok()) return broken(status);
  }
  return Result(PQgetResult(handle_.get()), PQclear);
}

absl::Status Connection::send(const Statement& statement, Sent& sent) {
  const std::string sql(statement.sql);
  const int count = static_cast<int>(statement.values.size());
  const std::vector<const char*> values = statement.values.pointers();
  const std::vector<int> lengths = statement.values.lengths();
  const std::vector<int> formats(static_cast<std::size_t>(count), 1);
  const auto known = prepared_.find(sql);
  if (known == prepared_.end() && prepared_.size() >= kPreparedMax) {
    if (PQsendQueryParams(handle_.get(), sql.c_str(), count, statement.values.types().data(), values.data(),
                          lengths.data(), formats.data(), 1) == 0)
      return status_of(handle_.get());
    return absl::OkStatus();
  }
  sent.prepares = known == prepared_.end();
  sent.name = sent.prepares ? absl::StrCat("s", prepared_.size()) : known->second;
  if (sent.prepares) {
    prepared_[sql] = sent.name;  // for those behind; taken back if it fails
    if (PQsendPrepare(handle_.get(), sent.name.c_str(), sql.c_str(), count, statement.values.types().data()) == 0)
      return status_of(handle_.get());
  }
  if (PQsendQueryPrepared(handle_.get(), sent.name.c_str(), count, values.data(), lengths.data(), formats.data(), 1) ==
      0)
    return status_of(handle_.get());
  return absl::OkStatus();
}

// The results of one statement, each followed by none. In an error's wake: aborted, which is no news.
absl::Status Connection::take(const Statement& statement, const Sent& sent, std::vector<Rows>& answers) {
  absl::Status status;
  for (int part = sent.prepares ? 0 : 1; part < 2; ++part) {
    absl::StatusOr<Result> result = next_result();
    if (!result.ok()) return result.status();
    const ExecStatusType kind = PQresultStatus(result->get());
    if (kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK) {
      const bool rolled_back =
          part == 1 && statement.sql == kCommit && std::string_view(PQcmdStatus(result->get())) != kCommit;
      if (rolled_back) status = absl::UnavailableError("the transaction was rolled back");
      if (part == 1) answers.emplace_back(result->release());
    } else {
      if (kind != PGRES_PIPELINE_ABORTED) status = status_of(result->get());
      if (status.ok()) status = absl::UnknownError("");  // told of before
      if (part == 0) prepared_.erase(std::string(statement.sql));
    }
    result = next_result();  // the end of this part
    if (!result.ok()) return result.status();
  }
  return status;
}

absl::Status Connection::end_pipeline(absl::Status status) {
  if (handle_ == nullptr) return status;
  const absl::StatusOr<Result> sync = next_result();
  if (!sync.ok()) return status.ok() ? sync.status() : status;
  if (PQresultStatus(sync->get()) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(handle_.get()) == 0) {
    const absl::Status cause = absl::UnavailableError("the server answers out of order");
    (void)broken(cause);
    return status.ok() ? cause : status;
  }
  return status;
}

absl::StatusOr<std::vector<Rows>> Connection::query_all(const std::vector<Statement>& statements) {
  if (handle_ == nullptr) return lost();
  if (PQenterPipelineMode(handle_.get()) == 0) return broken(status_of(handle_.get()));
  notices_->warned = false;
  std::vector<Sent> sent(statements.size());
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (absl::Status status = send(statements[i], sent[i]); !status.ok()) return broken(status);
  }
  if (PQpipelineSync(handle_.get()) == 0) return broken(status_of(handle_.get()));
  std::vector<Rows> answers;
  absl::Status first;
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const absl::Status status = take(statements[i], sent[i], answers);
    if (handle_ == nullptr) return first.ok() ? status : first;
    if (first.ok()) first = status;
  }
  first = end_pipeline(first);
  if (first.ok() && notices_->warned && !statements.empty() && statements.back().sql == kCommit)
    first = absl::UnavailableError(absl::StrCat("the server warns: ", notices_->last));
  if (!first.ok()) {
    if (read_only(first)) (void)broken(first);
    return first;
  }
  return answers;
}

absl::StatusOr<Rows> Connection::query(std::string_view sql, Values values) {
  absl::StatusOr<std::vector<Rows>> all = query_all({{sql, std::move(values)}});
  if (!all.ok()) return all.status();
  return std::move(all->front());
}

absl::Status Connection::run(const std::string& sql) {
  if (handle_ == nullptr) return lost();
  if (PQsendQuery(handle_.get(), sql.c_str()) == 0) return broken(status_of(handle_.get()));
  absl::Status status;
  for (;;) {
    const absl::StatusOr<Result> result = next_result();
    if (!result.ok()) return result.status();
    if (*result == nullptr) return status;
    const ExecStatusType kind = PQresultStatus(result->get());
    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && status.ok()) status = status_of(result->get());
  }
}

absl::Status Connection::copy(const std::string& sql, std::string_view data) {
  if (handle_ == nullptr) return lost();
  constexpr std::size_t kPiece = 1U << 16U;
  if (PQsendQuery(handle_.get(), sql.c_str()) == 0) return broken(status_of(handle_.get()));
  absl::StatusOr<Result> result = next_result();
  if (!result.ok()) return result.status();
  absl::Status status;
  if (PQresultStatus(result->get()) == PGRES_COPY_IN) {
    const Nanos deadline = system_steady() + kPatience;
    while (!data.empty()) {
      const std::size_t piece = std::min(data.size(), kPiece);
      const int put = PQputCopyData(handle_.get(), data.data(), static_cast<int>(piece));
      if (put < 0) return broken(status_of(handle_.get()));
      if (put > 0) data.remove_prefix(piece);
      if (absl::Status flushed = flush(deadline); !flushed.ok()) return broken(flushed);
    }
    for (int put = 0; put == 0;) {
      put = PQputCopyEnd(handle_.get(), nullptr);
      if (put < 0) return broken(status_of(handle_.get()));
      if (absl::Status flushed = flush(deadline); !flushed.ok()) return broken(flushed);
    }
  } else {
    status = status_of(result->get());
  }
  for (;;) {
    result = next_result();
    if (!result.ok()) return result.status();
    if (*result == nullptr) return status;
    if (PQresultStatus(result->get()) != PGRES_COMMAND_OK && status.ok()) status = status_of(result->get());
  }
}

void Connection::roll_back() {
  if (handle_ == nullptr) return;
  const PGTransactionStatusType now = PQtransactionStatus(handle_.get());
  if (now == PQTRANS_IDLE) return;
  if (now == PQTRANS_UNKNOWN || now == PQTRANS_ACTIVE || !run("ROLLBACK").ok()) (void)broken(lost());
}

bool Connection::alive() {
  if (handle_ == nullptr) return false;
  // A server that went away has closed its end, which is there to be read, behind its last words if it had any.
  pollfd its{PQsocket(handle_.get()), POLLIN, 0};
  while (handle_ != nullptr && ::poll(&its, 1, 0) > 0) {
    if (PQconsumeInput(handle_.get()) == 0) (void)broken(lost());
  }
  if (handle_ != nullptr && PQstatus(handle_.get()) != CONNECTION_OK) (void)broken(lost());
  return handle_ != nullptr;
}

bool Connection::clean() { return alive() && PQtransactionStatus(handle_.get()) == PQTRANS_IDLE; }

}  // namespace kleptometrics::aggregator::postgres
