// An execution of a step moves, and has no second copy.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

#include <utility>

int main() {
  kleptometrics::Run run("billing");
  kleptometrics::Step step = run.step("load");
#ifdef MISUSE
  const kleptometrics::Step other = step;
#else
  const kleptometrics::Step other = std::move(step);
#endif
}
