#include "tests/fault/host/victim.h"
namespace kleptometrics::fault {
const std::vector<Scenario> kForks = {};
}
