#include "tests/fault/host/victim.h"

#include <sys/resource.h>

#include <cstdio>

namespace kleptometrics::fault {
namespace {

int play(const std::string& name, const Arguments& arguments) {
  for (const auto* table : {&kEndings, &kForks, &kSignals, &kDescriptors, &kTelling})
    for (const Scenario& scenario : *table)
      if (name == scenario.name) return scenario.run(arguments);
  std::fprintf(stderr, "no scenario is called %s\n", name.c_str());
  return 98;
}

}  // namespace
}  // namespace kleptometrics::fault

int main(int argc, char** argv) {
  const rlimit no_cores{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_cores);
  if (argc < 2) return 98;
  return kleptometrics::fault::play(argv[1], {argv + 2, argv + argc});
}
