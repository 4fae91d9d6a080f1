// A timing moves, and has no second copy that would count it twice.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

#include <utility>

int main() {
  kleptometrics::Run run("billing");
  kleptometrics::StepTimer timer = run.step_timer("load");
  auto timing = timer.start();
#ifdef MISUSE
  const auto other = timing;
#else
  const auto other = std::move(timing);
#endif
}
