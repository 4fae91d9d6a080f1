// A step timer moves. Threads share one; they need none of their own.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

#include <utility>

int main() {
  kleptometrics::Run run("billing");
  kleptometrics::StepTimer timer = run.step_timer("load");
#ifdef MISUSE
  const kleptometrics::StepTimer other = timer;
#else
  const kleptometrics::StepTimer other = std::move(timer);
#endif
}
