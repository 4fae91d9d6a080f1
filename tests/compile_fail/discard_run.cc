// A run without a name ends at the semicolon.
// Complaint: unused-(value|result)|nodiscard
#include <kleptometrics/kleptometrics.h>

int main() {
#ifdef MISUSE
  kleptometrics::Run("billing");
#else
  kleptometrics::Run run("billing");
#endif
}
