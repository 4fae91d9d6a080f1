// A plug-in that brings the client library along, records a run, and is then unloaded.
#include "kleptometrics/kleptometrics.h"

extern "C" void record_a_run() {
  kleptometrics::Run run("plug-in");
  auto timer = run.step_timer("item");
  for (int i = 0; i < 100; ++i) const auto timing = timer.start();
  run.count("rows", 5);
}
