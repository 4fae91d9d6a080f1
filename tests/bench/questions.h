// The questions that people ask of a history, timed over HTTP one after the other, each so often and about so many
// different jobs that no single answer decides. Beside each what is promised of it for ten million runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/asker.h"
#include "tests/bench/history.h"

namespace kleptometrics::bench {

struct Question {
  std::string name;
  double bound_milliseconds = 0;                // 0: nothing is promised
  std::function<std::string(unsigned)> path;    // of the n-th request
  std::function<std::string(unsigned)> as_sql;  // the same, asked of the table of postgres.h; may be empty
};

// About the first `runs` of the history. What they return borrows the history.
std::vector<Question> questions_about(const History& history, std::uint64_t runs);

struct Timing {
  std::string name;
  double bound_milliseconds = 0;
  int status = 0;  // of the last request: 404 means that there is no such route
  unsigned requests = 0;
  double median = 0, highest = 0;  // milliseconds
  std::size_t bytes = 0;           // of the last answer
};

// Asks each `times`, after once without looking; one that takes long, as often as fits into half a minute.
std::vector<Timing> ask(Asker& asker, const std::vector<Question>& questions, unsigned times);

double median_of(std::vector<double> values);  // not empty

}  // namespace kleptometrics::bench
