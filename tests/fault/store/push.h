// A push of many runs, as a client sends it.
#pragma once

#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::fault {

// A PushRequest. Strings of one run are not shared with another's.
std::string push_of(const std::vector<aggregator::Run>& runs);

}  // namespace kleptometrics::fault
