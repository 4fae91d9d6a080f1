#include "aggregator/store/postgres/status.h"

#include <libpq-fe.h>

#include <algorithm>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator::postgres {
namespace {

// PostgreSQL's documentation, appendix A, "PostgreSQL Error Codes".
constexpr char kSqlState[] = "sqlstate";

absl::StatusCode kind_of(std::string_view code) {
  const std::string_view its_class = code.substr(0, 2);
  if (its_class == "08" || its_class == "40" || its_class == "53" || its_class == "57" || its_class == "58")
    return absl::StatusCode::kUnavailable;
  if (code == "25006" || code == "25P03" || code == "55P03" || code == "23505" || code == "22012")
    return absl::StatusCode::kUnavailable;
  if (its_class == "28" || code == "42501") return absl::StatusCode::kPermissionDenied;
  if (its_class == "3D") return absl::StatusCode::kNotFound;
  if (code == "XX001" || code == "XX002") return absl::StatusCode::kDataLoss;
  return absl::StatusCode::kInternal;
}

// libpq ends its messages with a line break, and gives details on lines of their own.
std::string line_of(std::string_view said) {
  while (!said.empty() && said.back() == '\n') said.remove_suffix(1);
  std::string line(said);
  std::ranges::replace(line, '\n', ' ');
  return in_one_line(line);
}

std::string sqlstate_of(const absl::Status& status) {
  const auto payload = status.GetPayload(kSqlState);
  return payload ? std::string(*payload) : "";
}

}  // namespace

absl::Status status_of(const pg_result* result) {
  const char* const code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (code == nullptr) {  // libpq's own: the connection broke
    const std::string_view message = PQresultErrorMessage(result);
    return absl::UnavailableError(message.empty() ? "no answer" : line_of(message));
  }
  absl::Status status(kind_of(code), absl::StrCat(in_one_line(said != nullptr ? said : ""), " (SQLSTATE ", code, ")"));
  status.SetPayload(kSqlState, absl::Cord(code));
  return status;
}

// libpq has no codes for these. What a server says comes behind "FATAL:".
absl::Status status_of(const pg_conn* connection) {
  std::string said = line_of(PQerrorMessage(connection));
  const auto has = [&](std::string_view text) { return said.find(text) != std::string::npos; };
  const bool refused = has("authentication failed") || has("no password supplied") || has("no pg_hba.conf entry") ||
                       (has("role ") && has("does not exist")) || has("permission denied for database");
  const bool missing = has("database ") && has("does not exist");
  if (refused) return absl::PermissionDeniedError(said);
  if (missing) return absl::NotFoundError(said);
  return absl::UnavailableError(said);
}

// 22012 is a division by zero, which statements of this room ask for where a row is not as it was.
bool in_the_way(const absl::Status& status) {
  const std::string code = sqlstate_of(status);
  return code == "40001" || code == "40P01" || code == "23505" || code == "22012";
}

bool read_only(const absl::Status& status) { return sqlstate_of(status) == "25006"; }

absl::Status within(std::string_view context, const absl::Status& status) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(absl_view(context), ": ", status.message())};
}

}  // namespace kleptometrics::aggregator::postgres
