#include "aggregator/store/postgres/target.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator::postgres {
namespace {

// Beside what the URL and the environment say, which both stand above it.
struct Default {
  const char* keyword;
  const char* value;
  const char* environment;  // libpq's; null: it has none
};
constexpr std::array kDefaults = {
    Default{"connect_timeout", "5", "PGCONNECT_TIMEOUT"},
    Default{"target_session_attrs", "read-write", "PGTARGETSESSIONATTRS"},
    Default{"tcp_user_timeout", "10000", nullptr},  // milliseconds
    Default{"keepalives_idle", "10", nullptr},      // seconds, as the next
    Default{"keepalives_interval", "3", nullptr},
    Default{"keepalives_count", "3", nullptr},
};

// What stands in quotes came from the URL.
std::string without_quotes(std::string_view said) {
  std::string out;
  bool quoted = false;
  for (const char c : said) {
    if (c == '"') {
      quoted = !quoted;
      if (quoted) out += "\"...\"";
    } else if (!quoted) {
      out += c;
    }
  }
  return in_one_line(out);
}

using Options = std::map<std::string, std::string>;

absl::StatusOr<Options> read(const std::string& url) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> all(PQconninfoParse(url.c_str(), &error),
                                                                         PQconninfoFree);
  if (all == nullptr) {
    const std::unique_ptr<char, decltype(&PQfreemem)> freed(error, PQfreemem);
    return absl::InvalidArgumentError(
        absl::StrCat("store URL: libpq cannot read it: ", error == nullptr ? "out of memory" : without_quotes(error)));
  }
  Options options;
  for (const PQconninfoOption* option = all.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  return options;
}

bool has(const std::string& text, char c) { return text.find(c) != std::string::npos; }

}  // namespace

absl::StatusOr<Target> Target::parse(std::string_view url) {
  if (has(std::string(url), '\0')) return absl::InvalidArgumentError("store URL: it holds a NUL byte");
  Target target;
  target.url_ = url;
  absl::StatusOr<Options> read_options = read(target.url_);
  if (!read_options.ok()) return read_options.status();
  Options& options = *read_options;
  // A password whose @ or / is not written %40 or %2F ends up elsewhere, and would then be told in errors.
  const bool ports = std::ranges::all_of(options["port"], [](char c) { return (c >= '0' && c <= '9') || c == ','; });
  if (!ports || has(options["host"], '@') || has(options["dbname"], '@')) {
    return absl::InvalidArgumentError(
        "store URL: a host, port or database is none; characters such as @ and / in a user or password are written "
        "%40 and %2F");
  }
  const std::string& host = options.contains("hostaddr") ? options["hostaddr"] : options["host"];
  target.name_ = absl::StrCat("postgresql ", host.empty() ? "(default host)" : host, options["port"].empty() ? "" : ":",
                              options["port"], options["dbname"].empty() ? "" : " database ", options["dbname"]);
  return target;
}

pg_conn* Target::connect() const {
  std::vector<const char*> keywords, values;
  const auto add = [&](const char* keyword, const char* value) {
    keywords.push_back(keyword);
    values.push_back(value);
  };
  for (const Default& each : kDefaults) {
    if (each.environment == nullptr || std::getenv(each.environment) == nullptr) add(each.keyword, each.value);
  }
  add("fallback_application_name", "kleptometricsd");
  add("dbname", url_.c_str());  // expanded; what it says replaces what stands before it
  add("client_encoding", "UTF8");
  add(nullptr, nullptr);
  return PQconnectdbParams(keywords.data(), values.data(), 1);
}

}  // namespace kleptometrics::aggregator::postgres
