// The rules of aggregator/rules once more, to be compared with: written from the definitions in job_watch.h for whoever
// has the whole story before him. It looks each question up in complete, sorted lists, forwards and backwards, and
// keeps no state; it shares with the rules nothing but the ids of records.
#pragma once

#include <vector>

#include "aggregator/model/alert.h"
#include "tests/aggregator/rules/story.h"

namespace kleptometrics::fakes {

struct Told {
  std::vector<aggregator::Delay> delays;
  std::vector<aggregator::Alert> alerts;  // without their messages
};

// What is to be told of the story by its end, where nobody watched in the downtimes.
Told expected_of(const Story& story, const std::vector<Period>& downtimes);

}  // namespace kleptometrics::fakes
