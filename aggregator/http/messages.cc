#include "aggregator/http/messages.h"

#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {
namespace {

wire::JobAnswer answer_of(const query::JobView& job) {
  return {job.name,
          query::name_of(job.status),
          job.last_run ? &*job.last_run : nullptr,
          &job.stats,
          &job.spec,
          job.paused,
          job.next_expected_at,
          job.typical ? &*job.typical : nullptr};
}

}  // namespace

std::string job_message(const query::JobView& job) { return wire::encode_job(answer_of(job)); }

std::string jobs_message(const std::vector<query::JobView>& jobs, std::string_view next_page_token) {
  std::vector<wire::JobAnswer> answers;
  answers.reserve(jobs.size());
  for (const query::JobView& job : jobs) answers.push_back(answer_of(job));
  return wire::encode_jobs(answers, next_page_token);
}

}  // namespace kleptometrics::aggregator::http
