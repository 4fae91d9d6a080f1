// A step without a name ends at the semicolon.
// Complaint: unused-(value|result)|nodiscard
#include <kleptometrics/kleptometrics.h>

int main() {
  kleptometrics::Run run("billing");
#ifdef MISUSE
  run.step("load");
#else
  auto load = run.step("load");
#endif
}
