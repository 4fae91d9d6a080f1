// A timing is not given another one to hold: which of the two would end now is not for a reader to guess.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

int main() {
  kleptometrics::Run run("billing");
  kleptometrics::StepTimer timer = run.step_timer("load");
  auto timing = timer.start();
#ifdef MISUSE
  timing = timer.start();
#else
  const auto other = timer.start();
#endif
}
