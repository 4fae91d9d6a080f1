#include <kleptometrics/kleptometrics.h>
#include <stdexcept>
int main() {
  kleptometrics::Run run("nightly-billing");          // starts now; ends with the scope
  run.label("region", "eu");
  {
    auto load = run.step("load");                      // RAII, nests: step.step("parse")
    run.count("rows", 120000);
  }
  kleptometrics::StepTimer price = run.step_timer("price");   // for hot loops: looked up once
  for (int i = 0; i < 1000; ++i) {
    auto timing = price.start();
  }
  try {
    auto send = run.step("send");
    throw std::runtime_error("smtp down");             // fails the step, not the run: it is caught
  } catch (const std::exception&) {}
  if (false) run.fail("reason");                       // an escaping exception fails the run by itself
}
