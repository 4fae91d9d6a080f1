// The HTTP API as one function from requests to responses: the routes and what they are wired to. main.cc
// hands handle() to the server; tests call it directly. Borrows what it is given, which outlives it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "aggregator/http/exposition.h"
#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/message.h"
#include "aggregator/http/router.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/keys/key_ring.h"
#include "aggregator/query/job_series.h"
#include "aggregator/query/query.h"
#include "aggregator/store/store.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::http {

class Api {
 public:
  // `others`: what GET /metrics tells of the service beside what is known here. `heard` is told what the client library
  // pushes, and who pushes it, before that is committed; by several threads.
  Api(Committer& committer, query::Query& query, Store& store, const Clock& clock, ServiceCounters others = {},
      Heard heard = nullptr);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Any thread. Never throws: an exception is logged and answered with 500. Of an answer to HEAD the server
  // sends the head alone.
  Response handle(const Request& request) const;

  // Whether a request may be answered to whoever sends that field `Authorization` (nullopt: none), by these keys. Of
  // the request, method and path count. Any thread.
  std::optional<Denial> authorize(const Request& request, std::optional<std::string_view> authorization,
                                  const keys::KeyRing& keys) const;

  const std::vector<Route>& routes() const { return router_.routes(); }

 private:
  query::SeriesReader series_;
  const ServiceCounters others_;
  Router router_;
};

}  // namespace kleptometrics::aggregator::http
