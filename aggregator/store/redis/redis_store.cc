#include "aggregator/store/redis/redis_store.h"

#include <array>
#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"
#include "aggregator/store/redis/store.h"

namespace kleptometrics::aggregator {
namespace redis {
namespace {

constexpr int kVersionMajorMin = 6;  // 6.2: streams are trimmed by id
constexpr int kVersionMinorMin = 2;

// The lines `name:value` of INFO.
std::string info(std::string_view text, std::string_view name) {
  const std::string sought = absl::StrCat("\n", absl_view(name), ":");
  const std::size_t at = text.find(sought);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + sought.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

bool old_version(const std::string& version) {
  int major = 0;
  int minor = 0;
  const char* const end = version.data() + version.size();
  const auto [at, fault] = std::from_chars(version.data(), end, major);
  if (fault != std::errc() || at == end) return false;  // says nothing that we know
  std::from_chars(at + 1, end, minor);
  return major < kVersionMajorMin || (major == kVersionMajorMin && minor < kVersionMinorMin);
}

// What of its settings takes something from the promise that what is acknowledged is kept; empty: nothing.
std::string weakness(const std::map<std::string, std::string>& settings) {
  const auto is = [&settings](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  std::string out;
  if (is("appendonly") != "yes") {
    out = "appendonly is not `yes`: what was committed since its last snapshot is lost if the server dies";
  } else if (is("appendfsync") != "always") {
    out = absl::StrCat("appendfsync is `", is("appendfsync"),
                       "`, not `always`: the last second or more of commits is lost if the machine dies");
  }
  if (is("maxmemory") != "0" && is("maxmemory-policy") != "noeviction")
    absl::StrAppend(&out, out.empty() ? "" : "; ", "maxmemory-policy is `", is("maxmemory-policy"),
                    "`, not `noeviction`: it may throw away runs and statistics");
  return out;
}

}  // namespace

absl::Status RedisStore::within(const char* doing, const absl::Status& status) const {
  if (status.ok()) return status;
  const std::string text = absl::StrCat(doing, " ", dialer_.url().shown(), ": ", status.message());
  // The keys may be given back to us as they were taken.
  return {absl::IsPermissionDenied(status) ? absl::StatusCode::kUnavailable : status.code(), text};
}

absl::Status RedisStore::start(bool must_exist) {
  Pipeline ask;
  ask.add("INFO");
  ask.add("GET", keys_.schema());
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) {
    const bool refused = absl::IsPermissionDenied(replies.status());
    const absl::Status status = within("open", replies.status());
    return refused ? absl::PermissionDeniedError(status.message()) : status;
  }
  const std::string_view said = (*replies)[0].text();
  if (const std::string version = info(said, "redis_version"); old_version(version))
    return within("open", absl::FailedPreconditionError("the server is of version " + version + "; 6.2 is needed"));
  if (info(said, "cluster_enabled") == "1")
    return within("open", absl::FailedPreconditionError("the server is part of a cluster, which cannot keep a store"));
  const ReplyView schema = (*replies)[1];
  {
    const Lock lock(keeping_);
    warn_of_server();
  }
  if (!schema.nil()) {
    if (schema.number() <= kSchemaVersion) return absl::OkStatus();
    return within("open", absl::FailedPreconditionError(
                              absl::StrCat("what is stored under ", keys_.prefix(), " has version ", schema.number(),
                                           ", this build knows ", kSchemaVersion, ": use a newer build")));
  }
  if (must_exist) return within("open", absl::NotFoundError(absl::StrCat("no store under ", keys_.prefix())));
  Pipeline make;
  make.add("SET", keys_.schema(), kSchemaVersion, "NX");
  return within("open", pool_.ask(make).status());
}

// Where the server does not tell, nothing is said.
void RedisStore::warn_of_server() {
  std::map<std::string, std::string> settings;
  Pipeline ask;
  for (const char* const name : {"appendonly", "appendfsync", "maxmemory", "maxmemory-policy"})
    ask.add("CONFIG", "GET", name);
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return;
  for (std::size_t i = 0; i < replies->size(); ++i)
    settings[std::string((*replies)[i][0].text())] = (*replies)[i][1].text();
  const std::string found = weakness(settings);
  if (!found.empty() && found != warned_) log_error(absl::StrCat(dialer_.url().shown(), ": ", found));
  warned_ = found;
}

}  // namespace redis

absl::StatusOr<std::unique_ptr<Store>> open_redis(std::string_view rest, bool must_exist) {
  const absl::StatusOr<redis::Url> url = redis::parse_url(absl::StrCat("redis", absl_view(rest)));
  if (!url.ok()) return url.status();
  if (url->tls) return absl::InvalidArgumentError("store URL: rediss:// needs TLS, which this build has not");
  auto store = std::make_unique<redis::RedisStore>(*url);
  if (absl::Status status = store->start(must_exist); !status.ok()) return status;
  return store;
}

}  // namespace kleptometrics::aggregator
