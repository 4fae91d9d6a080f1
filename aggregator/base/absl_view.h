// Abseil packages built for older standards (Debian's is) have a string_view of their own, which does not convert
// from the standard one. Pass standard views to Abseil through this; it is the identity elsewhere.
#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace kleptometrics::aggregator {

inline absl::string_view absl_view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace kleptometrics::aggregator
