// What a fuzz target holds to be true of every input. Checked in every build, with or without NDEBUG; for the targets
// of this folder alone. A sentence that turns out to be wrong goes to stderr and ends the process by abort(), which
// libFuzzer and standalone_main.cc both take for a finding.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace kleptometrics::fuzz {

inline void expect(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", sentence);
  std::abort();
}

}  // namespace kleptometrics::fuzz
