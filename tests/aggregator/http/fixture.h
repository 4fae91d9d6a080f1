// The whole API over a memory store and a clock that stands still: tests speak HTTP by hand and look into
// answers by JSON pointers. Each test has its own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "aggregator/http/api.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/query/query.h"
#include "aggregator/store/store.h"
#include "tests/fakes/clock.h"

namespace kleptometrics::aggregator::http {

inline constexpr const char* kAnId = "01890a5d-ac96-774b-bcce-b302099a8057";
inline constexpr const char* kAnotherId = "01890a5d-ac96-774b-bcce-b302099a8058";

struct ApiFixture {
  fakes::FakeClock clock;  // 2023-11-14T22:13:20Z
  std::unique_ptr<Store> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<query::Query> query;
  std::unique_ptr<Api> api;

  ApiFixture();
  explicit ApiFixture(std::unique_ptr<Store> over);
  ~ApiFixture();

  // `target` may have a query string; it is taken as it stands, nothing is decoded.
  Response send(std::string method, std::string_view target, std::string body = {}, std::string content_type = {},
                std::string accept = {}) const;
  Response get(std::string_view target) const { return send("GET", target); }
  Response post(std::string_view target, std::string json) const {
    return send("POST", target, std::move(json), "application/json");
  }
  Response patch(std::string_view target, std::string json) const {
    return send("PATCH", target, std::move(json), "application/json");
  }
  // Records a run that succeeded after `seconds`, and gives its id. It began `age_seconds` ago.
  std::string succeed(const std::string& job, int seconds, int age_seconds) const;
};

// What stands at a JSON pointer (RFC 6901): texts bare, everything else as JSON, `absent` if nothing does.
std::string at(const Response& response, const std::string& pointer);
std::string at(const std::string& json, const std::string& pointer);
// Number of elements of the array there.
std::size_t size_at(const Response& response, const std::string& pointer);
std::string header(const Response& response, std::string_view name);

// `400 field: detail` of a problem document, after checking that it is one.
std::string problem_of(const Response& response);
// `400 field`.
std::string blame(const Response& response);

}  // namespace kleptometrics::aggregator::http
