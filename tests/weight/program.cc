// A small batch program, with the client library and, to compare, without.
#include <cstdio>
#ifdef WITH_KLEPTOMETRICS
#include <kleptometrics/kleptometrics.h>
#endif

int main() {
#ifdef WITH_KLEPTOMETRICS
  kleptometrics::Run run("weight");
  run.label("region", "eu").count("rows", 3).progress(0.5);
  const auto load = run.step("load");
  auto price = run.step_timer("price");
  const auto timing = price.start();
#endif
  std::puts("done");
}
