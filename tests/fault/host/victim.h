// The victim: one program with many scenarios, each a function, chosen by its name on the command line. Each file of
// scenarios has a table of its own.
#pragma once

#include <string>
#include <vector>

namespace kleptometrics::fault {

using Arguments = std::vector<std::string>;  // behind the name of the scenario

struct Scenario {
  const char* name;
  int (*run)(const Arguments& arguments);  // what main returns
};

extern const std::vector<Scenario> kEndings, kForks, kSignals, kDescriptors, kTelling;

// Path of this program, for what it starts itself.
inline constexpr char kMyself[] = "/proc/self/exe";

}  // namespace kleptometrics::fault
