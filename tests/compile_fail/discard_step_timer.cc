// A step timer without a name times nothing.
// Complaint: unused-(value|result)|nodiscard
#include <kleptometrics/kleptometrics.h>

int main() {
  kleptometrics::Run run("billing");
#ifdef MISUSE
  run.step_timer("load");
#else
  auto load = run.step_timer("load");
#endif
}
