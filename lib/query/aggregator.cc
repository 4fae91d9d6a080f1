// One question, one connection, one answer. Everything that may throw (memory, mostly) happens below answer_to(), and
// ends there.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "kleptometrics/query.h"
#include "lib/base/places.h"
#include "lib/http/connection.h"
#include "lib/query/answers.h"
#include "lib/query/target.h"

namespace kleptometrics::query {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::size_t kAnswerBytesMax = 64U << 20U;
constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(1);

Error unanswered(std::string why) { return {0, "No Answer", std::move(why), {}}; }

std::string request_for(const http::Endpoint& endpoint, const std::string& api_key, const std::string& target) {
  std::string text = "GET " + target + " HTTP/1.1\r\nHost: " + endpoint.host_field() +
                     "\r\nUser-Agent: kleptometrics-cpp\r\nAccept: " + std::string(kProtobuf) +
                     "\r\nConnection: close\r\n";
  if (!api_key.empty()) text += "Authorization: Bearer " + api_key + "\r\n";
  return text + "\r\n";
}

// What the answer says is wrong, or else that it says nothing we understand.
Error error_of(const http::Response& response) {
  Error error;
  if (response.content_type == kProtobuf && read_body<v1::Problem>(response.body, &error)) {
    error.status = response.status;
    return error;
  }
  if (response.status == 401) return {401, "Unauthorized", "the aggregator wants an API key that it knows", {}};
  if (response.status == 403) return {403, "Forbidden", "the API key may not do this", {}};
  return {
      response.status, "No Explanation", "the aggregator answered with status " + std::to_string(response.status), {}};
}

// Where and how a question is asked.
struct Asking {
  const std::string& endpoint;
  const AggregatorOptions& options;
};

// The whole response, or an error.
Result<http::Response> fetch(const Asking& asking, const std::string& target) {
  auto endpoint = http::parse_endpoint(asking.endpoint);
  if (!endpoint) return unanswered(http::refusal_of(asking.endpoint));
  const std::string& api_key = asking.options.api_key;
  if (api_key.find_first_of("\r\n") != std::string::npos) return unanswered("the API key has a line break");
  const auto timeout = std::clamp(asking.options.timeout, std::chrono::milliseconds(1), kTimeoutMax);
  const http::Deadline deadline = SteadyClock::now() + timeout;
  const std::string request = request_for(*endpoint, api_key, target);
  http::Connection connection(*std::move(endpoint), asking.options.ca_file);
  http::Response response;
  std::string error;
  if (!connection.open(timeout, deadline, &error)) return unanswered(std::move(error));
  if (!connection.exchange(request, deadline, kAnswerBytesMax, &response, &error)) return unanswered(std::move(error));
  return response;
}

template <typename Message, typename T>
Result<T> ask(const Asking& asking, const std::string& target) {
  Result<http::Response> response = fetch(asking, target);
  if (!response) return response.error();
  if (response->status != 200) return error_of(*response);
  T value;
  if (response->content_type != kProtobuf || !read_body<Message>(response->body, &value))
    return unanswered("what answers at " + asking.endpoint + " is no kleptometricsd, or one of another time");
  return value;
}

// Nothing leaves this but its value. The words of the errors are short enough to need no memory.
template <typename T, typename Ask>
Result<T> answer_to(Ask question) noexcept {
  try {
    return question();
  } catch (const std::bad_alloc&) {
    return Error{0, "No Answer", "out of memory", {}};
  } catch (...) {
    return Error{0, "No Answer", "internal error", {}};
  }
}

// A name that would be another route; the aggregator knows none of this kind.
bool no_segment(std::string_view name) { return name.empty() || name.find('/') != std::string_view::npos; }

Error bad_name(std::string field) {
  return {400, "Bad Request", field + " is empty or has a '/' in it", std::move(field)};
}

// A question about one job: the route behind its name, and what `fill` adds.
template <typename Message, typename T, typename Fill>
Result<T> ask_of_job(const Asking& asking, std::string_view job, std::string_view route, Fill fill) noexcept {
  return answer_to<T>([&]() -> Result<T> {
    if (no_segment(job)) return bad_name("job");
    Target target("jobs");
    target.segment(job);
    if (!route.empty()) target.segment(route);
    fill(target);
    return ask<Message, T>(asking, target.text());
  });
}

Target target_of(std::string_view route, const DelaysQuestion& question) {
  Target target(route);
  if (question.open) target.add("state", *question.open ? "open" : "closed");
  std::string kinds;
  for (const std::string& kind : question.kinds) kinds += (kinds.empty() ? "" : ",") + kind;
  target.add("kind", kinds).add("job", question.job).add("since", question.since).add("until", question.until);
  return target.add(question.page);
}

}  // namespace

Aggregator::Aggregator(std::string endpoint, AggregatorOptions options) noexcept
    : endpoint_(std::move(endpoint)), options_(std::move(options)) {
  try {
    if (endpoint_.empty()) endpoint_ = http::found_endpoint();
    if (options_.api_key.empty()) options_.api_key = places::environment("KLEPTO_API_KEY");
    if (options_.ca_file.empty()) options_.ca_file = places::environment("KLEPTO_CA_FILE");
  } catch (...) {  // no memory: calls will say that there is no endpoint
  }
}

Result<JobPage> Aggregator::jobs(const JobsQuestion& question) const noexcept {
  return answer_to<JobPage>([&] {
    Target target("jobs");
    target.add("search", question.search).add("status", question.status).add("tag", question.tag);
    target.add("sort", question.newest_run_first ? "last_run" : "").add(question.page);
    return ask<v1::JobPage, JobPage>({endpoint_, options_}, target.text());
  });
}

Result<Job> Aggregator::job(std::string_view name) const noexcept {
  return ask_of_job<v1::Job, Job>({endpoint_, options_}, name, "", [](Target&) {});
}

Result<RunPage> Aggregator::runs(const RunsQuestion& question) const noexcept {
  const auto fill = [&](Target& target) {
    target.add("state", question.states).add(question.filter).add(question.page);
  };
  if (!question.job.empty()) return ask_of_job<v1::RunPage, RunPage>({endpoint_, options_}, question.job, "runs", fill);
  return answer_to<RunPage>([&] {
    Target target("runs");
    fill(target);
    return ask<v1::RunPage, RunPage>({endpoint_, options_}, target.text());
  });
}

Result<Run> Aggregator::run(std::string_view id) const noexcept {
  return answer_to<Run>([&]() -> Result<Run> {
    if (no_segment(id)) return bad_name("id");
    return ask<v1::RunPage, Run>({endpoint_, options_}, Target("runs").segment(id).text());
  });
}

Result<Stats> Aggregator::stats(std::string_view job, const StatsQuestion& question) const noexcept {
  return ask_of_job<v1::Stats, Stats>({endpoint_, options_}, job, "stats",
                                      [&](Target& target) { target.add(question); });
}

Result<History> Aggregator::history(std::string_view job, const HistoryQuestion& question) const noexcept {
  return ask_of_job<v1::History, History>({endpoint_, options_}, job, "history", [&](Target& target) {
    target.add("bucket", name_of(question.width)).add("timezone", question.timezone);
    target.add("min_count", std::to_string(question.min_count)).add(question.of);
  });
}

Result<Profile> Aggregator::profile(std::string_view job, const ProfileQuestion& question) const noexcept {
  return ask_of_job<v1::Profile, Profile>({endpoint_, options_}, job, "profile", [&](Target& target) {
    target.add("timezone", question.timezone).add("min_count", std::to_string(question.min_count)).add(question.of);
  });
}

Result<Top> Aggregator::top(const TopQuestion& question) const noexcept {
  return answer_to<Top>([&] {
    Target target("top");
    target.add("by", name_of(question.by)).add("since", question.since).add("until", question.until);
    target.add("limit", std::to_string(question.limit));
    return ask<v1::Top, Top>({endpoint_, options_}, target.text());
  });
}

Result<Comparison> Aggregator::compare(std::string_view job, const CompareQuestion& question) const noexcept {
  return ask_of_job<v1::Comparison, Comparison>({endpoint_, options_}, job, "compare", [&](Target& target) {
    target.add("measure", question.measure).add("step", question.step).add(question.filter);
    target.add("baseline_since", question.baseline_since).add("baseline_until", question.baseline_until);
    target.add("baseline_version", question.baseline_version).add("baseline_build_id", question.baseline_build_id);
  });
}

Result<Changes> Aggregator::changes(std::string_view job, const ChangesQuestion& question) const noexcept {
  return ask_of_job<v1::ChangePoints, Changes>({endpoint_, options_}, job, "changes", [&](Target& target) {
    target.add("measure", question.measure).add("step", question.step).add(question.filter);
  });
}

Result<RunComparison> Aggregator::run_compare(std::string_view id, std::string_view to) const noexcept {
  return answer_to<RunComparison>([&]() -> Result<RunComparison> {
    if (no_segment(id)) return bad_name("id");
    Target target("runs");
    target.segment(id).segment("compare").add("to", to);
    return ask<v1::RunComparison, RunComparison>({endpoint_, options_}, target.text());
  });
}

Result<DelayPage> Aggregator::delays(const DelaysQuestion& question) const noexcept {
  return answer_to<DelayPage>([&] {
    return ask<v1::DelayPage, DelayPage>({endpoint_, options_}, target_of("delays", question).text());
  });
}

Result<AlertPage> Aggregator::alerts(const AlertsQuestion& question) const noexcept {
  return answer_to<AlertPage>([&] {
    return ask<v1::AlertPage, AlertPage>({endpoint_, options_}, target_of("alerts", question).text());
  });
}

}  // namespace kleptometrics::query
