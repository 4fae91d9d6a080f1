// The one list of back ends: a scheme and how to open what follows it.
#include <array>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"
#include "aggregator/store/memory_store.h"
#include "aggregator/store/postgres/postgres_store.h"
#include "aggregator/store/redis/redis_store.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {
namespace {

using Opened = absl::StatusOr<std::unique_ptr<Store>>;

Opened open_postgres_url(std::string_view url, bool must_exist) {
  return open_postgres(url, {.must_exist = must_exist});
}

Opened open_memory(std::string_view rest, bool) {
  if (rest.empty()) return std::make_unique<MemoryStore>();
  return absl::InvalidArgumentError(absl::StrCat("store URL: nothing may follow `memory:`, found ", quoted(rest)));
}

struct Scheme {
  std::string_view prefix;
  std::string_view usage;
  Opened (*open)(std::string_view rest, bool must_exist);
  bool whole = false;  // takes all of the URL, not what follows the prefix
};

constexpr std::array kSchemes = {
    Scheme{"sqlite:", "`sqlite:PATH`",
           [](std::string_view path, bool must_exist) { return open_sqlite(path, {.must_exist = must_exist}); }},
    Scheme{"redis", "`redis://HOST:PORT/DB`",
           [](std::string_view rest, bool must_exist) { return open_redis(rest, must_exist); }},
    Scheme{"memory:", "`memory:`", open_memory},
    Scheme{"postgresql://", "`postgresql://HOST/DATABASE`", open_postgres_url, true},
    Scheme{"postgres://", "", open_postgres_url, true},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_store(std::string_view url, bool must_exist) {
  std::string known;
  for (const Scheme& scheme : kSchemes) {
    if (url.starts_with(scheme.prefix))
      return scheme.open(scheme.whole ? url : url.substr(scheme.prefix.size()), must_exist);
    if (!scheme.usage.empty()) absl::StrAppend(&known, known.empty() ? "" : ", ", absl_view(scheme.usage));
  }
  // Behind a scheme that is not known there may be a password.
  const std::string_view shown = url.find("://") != url.npos ? url.substr(0, url.find("://") + 3) : url;
  return absl::InvalidArgumentError(absl::StrCat("store URL ", quoted(shown), " is not one of ", known));
}

}  // namespace kleptometrics::aggregator
