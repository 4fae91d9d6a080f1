// The handlers of the API: each a function of its request and of what it needs, in a file of its own. They
// check at the door, ask ingest or query, and put the answer into JSON, or where a GET asks for it into a message of
// query.proto; api.cc joins them to their routes.
// Any thread may call any of them. `{job}` and `{id}` are path parameters, filled in by the router.
#pragma once

#include <functional>
#include <vector>

#include "aggregator/http/exposition.h"
#include "aggregator/http/message.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/ingest/push.h"
#include "aggregator/query/job_series.h"
#include "aggregator/query/query.h"
#include "aggregator/store/store.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::http {

// POST /api/v1/runs: many runs as protobuf, JSON or NDJSON. 200 once the store has committed; a run at fault
// is rejected alone, under its index (in NDJSON: its line, counted from 0, blank ones too).
// `heard` is told what comes as protobuf, of whom: what the client library sends.
using Heard = std::function<void(const std::vector<Command>&, const Peer&)>;
Response push_runs(const Request& request, Committer& committer, const Heard& heard = nullptr);

// POST /api/v1/jobs/{job}/runs: one Run; `{}` or no body starts one now. 201, or 200 if it was known.
Response report_run(const Request& request, Committer& committer);

// PATCH /api/v1/runs/{id}.
Response patch_run(const Request& request, Committer& committer);

// GET /api/v1/jobs (`search`, `status`, `tag`, `sort` = name or last_run, `limit`, `page_token`).
Response list_jobs(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/jobs/{job}.
Response get_job(const Request& request, query::Query& query, const Clock& clock);

// PUT /api/v1/jobs/{job}: what the job is meant to be, in place of what it was. The job as it then stands; 201 if it
// was unknown before. Whether it is paused stays as it is.
Response put_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock);

// POST /api/v1/jobs/{job}/pause (`{"until": INSTANT}`, or no body: until it is resumed) and .../resume (no body). The
// job as it then stands; 404 if it is unknown.
Response pause_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock);
Response resume_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock);

// GET /api/v1/runs and /api/v1/jobs/{job}/runs, newest start first. Asked for NDJSON: all that match, a line
// each; `limit` and `page_token` are checked but have no say. The text is built in memory.
Response list_runs(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/runs/{id}.
Response get_run(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/jobs/{job}/stats (`measure`, `step`, `outcome`, and what selects runs).
Response get_stats(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/jobs/{job}/history (`bucket`, `timezone`, `min_count`, and all that stats takes).
Response get_history(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/jobs/{job}/profile (`timezone`, `min_count`, and all that stats takes).
Response get_profile(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/top (`by`, `since`, `until`, `limit`).
Response get_top(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/jobs/{job}/compare (`since`, `until`, `baseline_since`, `baseline_until`, `baseline_version`,
// `baseline_build_id`, `measure`, `step`, and what else selects runs, of both sides).
Response get_compare(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/runs/{id}/compare (`to`: another run of the job; else its baseline). 409 for a run that has not ended.
Response get_run_compare(const Request& request, query::Query& query);

// GET /api/v1/jobs/{job}/changes (`measure`, `step`, and what selects runs).
Response get_changes(const Request& request, query::Query& query, const Clock& clock);

// GET /api/v1/delays and /api/v1/alerts (`state` = open or closed, `kind`, `job`, `since` and `until` of their opening,
// `limit`, `page_token`): open ones first, then the newest opened.
// What the specification in the body would have told of the past.
Response backtest_job(const Request& request, query::Query& query, const Clock& clock);
Response list_delays(const Request& request, query::Query& query, const Clock& clock);
Response list_alerts(const Request& request, query::Query& query, const Clock& clock);

// POST /api/v1/alerts/{id}/acknowledge: the alert as it then stands. Once it is, a repetition changes nothing.
Response acknowledge_alert(const Request& request, Committer& committer);

// GET /metrics: all jobs that are not forgotten (query/job_series.h), and the service itself, as Prometheus scrapes
// them. `others` may be empty.
Response get_metrics(query::SeriesReader& series, const Committer& committer, Store& store, const Clock& clock,
                     const ServiceCounters& others);

// GET /api/v1/openapi.json.
Response get_openapi();

// GET /-/healthy: 503 after an error that the process cannot outlive. GET /-/ready: 503 also while the store
// cannot commit.
Response healthy(const Committer& committer);
Response ready(const Committer& committer, Store& store);

}  // namespace kleptometrics::aggregator::http
