#include <map>
#include <string>

#include "lib/sketch/sketch.h"
#include "tests/fuzz/seeds.h"
#include "tests/lib/sketch/samples.h"

namespace kleptometrics::fuzz {

std::map<std::string, std::string> sketch_seeds() {
  std::map<std::string, std::string> seeds;
  for (const samples::Sample& sample : samples::samples()) seeds[kWholePrefix + sample.name] = sample.sketch.encode();
  seeds["refused-gap-first"] = std::string("\x01\x0c\x00\x00\x02", 5);
  return seeds;
}

}  // namespace kleptometrics::fuzz
