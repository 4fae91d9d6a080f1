// An aggregator that a test plays itself: keeps what was pushed and answers as it is told.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "kleptometrics/v1/run.pb.h"
#include "lib/src/transport.h"

namespace kleptometrics::fakes {

// A run as it was pushed, its strings in place of their indexes.
struct PushedRun {
  v1::Run run;
  std::string job, host, program, version, build_id;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, double>> counters;
  std::vector<std::pair<std::string, v1::Step>> steps;
};

inline PushedRun pushed(const v1::PushRequest& request, const v1::Run& run) {
  const auto text = [&](std::uint32_t index) { return request.strings(static_cast<int>(index)); };
  PushedRun out{
      run, text(run.job()), text(run.host()), text(run.program()), text(run.version()), text(run.build_id()), {}, {},
      {}};
  for (const auto& label : run.labels()) out.labels.emplace_back(text(label.key()), text(label.value()));
  for (const auto& counter : run.counters()) out.counters.emplace_back(text(counter.name()), counter.value());
  for (const auto& step : run.steps()) out.steps.emplace_back(text(step.name()), step);
  return out;
}

struct FakeTransport final : internal::Transport {
  // What later pushes are answered with, in order; then 200 and everything accepted.
  std::deque<internal::Reply> replies;
  std::function<void(const v1::PushRequest&, v1::PushResponse&)> judge;  // fills the answer of a 200
  int pushes = 0;
  std::vector<PushedRun> runs;  // of the pushes that were answered with 200

  internal::Reply push(const std::string& body) override {
    ++pushes;
    if (!replies.empty()) {
      internal::Reply reply = replies.front();
      replies.pop_front();
      return reply;
    }
    v1::PushRequest request;
    if (!request.ParseFromString(body)) return {400, {}, {}};
    v1::PushResponse response;
    response.set_accepted(static_cast<std::uint64_t>(request.runs_size()));
    for (const auto& run : request.runs()) runs.push_back(pushed(request, run));
    if (judge) judge(request, response);
    return {200, response.SerializeAsString(), {}};
  }
};

}  // namespace kleptometrics::fakes
