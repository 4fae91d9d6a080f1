#include "tests/bench/questions.h"

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/base/instant.h"

namespace kleptometrics::bench {
namespace {

constexpr Nanos kPatience = 30 * kNanosPerSecond;  // for one question

// Another job every time, never the hot one.
std::uint32_t cold_job(const History& history, unsigned n) { return 1 + n * 37 % (history.options().jobs - 1); }

struct Window {
  Nanos since, until;
};

// The last seven whole days of what there is; less if there is less.
Window last_week(const History& history, std::uint64_t runs) {
  const Nanos until = history.ended_before(runs) / kNanosPerDay * kNanosPerDay;
  return {std::max(history.begin(), until - 7 * kNanosPerDay), until};
}

std::string stats_sql(const std::string& job) {
  return "SELECT count(*), min(duration), max(duration), percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY "
         "duration) FROM runs WHERE job = '" +
         job + "' AND state = 2";
}

constexpr char kAllJobsSql[] =
    "SELECT job, count(*), min(duration), max(duration), percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY "
    "duration) FROM runs WHERE state = 2 GROUP BY job";

std::string by_day_sql(const std::string& job) {
  return "SELECT started / 86400000000000 AS day, count(*), min(duration), max(duration), percentile_disc(ARRAY[0.5, "
         "0.95]) WITHIN GROUP (ORDER BY duration) FROM runs WHERE job = '" +
         job + "' AND state = 2 GROUP BY day ORDER BY day";
}

std::string top_sql(const Window& window) {
  return "SELECT job, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration) AS p95 FROM runs WHERE state = 2 AND "
         "started >= " +
         std::to_string(window.since) + " AND started < " + std::to_string(window.until) +
         " GROUP BY job ORDER BY p95 DESC LIMIT 20";
}

using Text = std::function<std::string(unsigned)>;

Text always(std::string text) {
  return [text = std::move(text)](unsigned) { return text; };
}

std::vector<Question> about_one_job(const History& history) {
  const auto name = [&history](unsigned n) { return history.job_name(cold_job(history, n)); };
  const std::string hot = history.job_name(0);
  const std::string jobs = "/api/v1/jobs/";
  return {
      {"statistics of one job, all time", 2, [=](unsigned n) { return jobs + name(n) + "/stats"; },
       [=](unsigned n) { return stats_sql(name(n)); }},
      {"statistics of the hot job, all time", 2, always(jobs + hot + "/stats"), always(stats_sql(hot))},
      {"one job by day", 4, [=](unsigned n) { return jobs + name(n) + "/history?bucket=day"; },
       [=](unsigned n) { return by_day_sql(name(n)); }},
      {"the hot job by day", 0, always(jobs + hot + "/history?bucket=day"), always(by_day_sql(hot))},
      {"newest 50 runs of a job", 5, [=](unsigned n) { return jobs + name(n) + "/runs?limit=50"; },
       [=](unsigned n) { return "SELECT * FROM runs WHERE job = '" + name(n) + "' ORDER BY started DESC LIMIT 50"; }}};
}

}  // namespace

std::vector<Question> questions_about(const History& history, std::uint64_t runs) {
  const Window week = last_week(history, runs);
  const auto id = [&history, runs](unsigned n) { return history.run(n * 7'919'003ULL % runs).id.text(); };
  std::vector<Question> all = about_one_job(history);
  all.push_back({"all jobs with headline statistics", 30, always("/api/v1/jobs?limit=1000"), always(kAllJobsSql)});
  all.push_back({"top 20 by p95, last 7 whole days", 15,
                 always("/api/v1/top?by=p95&since=" + instant_text(week.since) + "&until=" + instant_text(week.until) +
                        "&limit=20"),
                 always(top_sql(week))});
  all.push_back({"last 50 failed", 2, always("/api/v1/runs?state=failed&limit=50"),
                 always("SELECT * FROM runs WHERE state = 3 ORDER BY started DESC LIMIT 50")});
  all.push_back({"last 50 failed or crashed", 2, always("/api/v1/runs?state=failed,crashed&limit=50"),
                 always("SELECT * FROM runs WHERE state IN (3, 5) ORDER BY started DESC LIMIT 50")});
  all.push_back({"one run by id", 2, [=](unsigned n) { return "/api/v1/runs/" + id(n); },
                 [=](unsigned n) { return "SELECT * FROM runs WHERE id = '" + id(n) + "'"; }});
  return all;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

std::vector<Timing> ask(Asker& asker, const std::vector<Question>& questions, unsigned times) {
  std::vector<Timing> timings;
  for (const Question& question : questions) {
    Timing timing{question.name, question.bound_milliseconds};
    std::vector<double> milliseconds;
    const Nanos begin = system_steady();
    for (unsigned n = 0; n <= times && (n < 2 || system_steady() - begin < kPatience); ++n) {
      const Asker::Reply reply = asker.get(question.path(n));
      timing.status = reply.status;
      timing.bytes = reply.body.size();
      if (reply.status != 200) break;
      if (n > 0) milliseconds.push_back(reply.milliseconds);
    }
    timing.requests = static_cast<unsigned>(milliseconds.size());
    if (!milliseconds.empty()) {
      timing.median = median_of(milliseconds);
      timing.highest = *std::max_element(milliseconds.begin(), milliseconds.end());
    }
    timings.push_back(timing);
  }
  return timings;
}

}  // namespace kleptometrics::bench
