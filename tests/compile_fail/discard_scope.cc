// A timing without a name ends at the semicolon.
// Complaint: unused-(value|result)|nodiscard
#include <kleptometrics/kleptometrics.h>

int main() {
  kleptometrics::Run run("billing");
  kleptometrics::StepTimer timer = run.step_timer("load");
#ifdef MISUSE
  timer.start();
#else
  auto timing = timer.start();
#endif
}
