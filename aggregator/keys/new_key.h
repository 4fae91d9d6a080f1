// `kleptometricsd --new_api_key=NAME:SCOPE`: the only time that a key is seen.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kleptometrics::aggregator::keys {

// Makes a key and prints it alone on stdout, so that a script can take it from there. Its line is added to `file`, or
// where that is empty printed on stderr. InvalidArgument where `name_and_scope` is no NAME:SCOPE, else as add_key() has
// it: then nothing was printed.
absl::Status print_new_key(const std::string& name_and_scope, const std::string& file);

}  // namespace kleptometrics::aggregator::keys
