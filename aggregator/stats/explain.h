// Numbers put into a sentence for a person, with the arithmetic that led there. Pure; any thread.
#pragma once

#include <string>

#include "aggregator/stats/compare.h"

namespace kleptometrics::aggregator::stats {

// `61.2 s`, `4.50 ms`, `12 min`: three digits and the unit that suits, where the measure is a time; else the number,
// with its unit if it has one.
std::string value_text(double value, const Measure& measure);

// `median 61.2 s against 43.5 s over 30 runs, +41 %, p = 0.0004: slower`. Of everything but the explanation.
std::string explain(const Difference& difference, const Measure& measure);

}  // namespace kleptometrics::aggregator::stats
