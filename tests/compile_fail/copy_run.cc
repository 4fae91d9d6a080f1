// A run is one execution: it moves, and has no second copy that would end it twice.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

#include <utility>

int main() {
  kleptometrics::Run run("billing");
#ifdef MISUSE
  const kleptometrics::Run other = run;
#else
  const kleptometrics::Run other = std::move(run);
#endif
}
