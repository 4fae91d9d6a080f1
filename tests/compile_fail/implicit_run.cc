// A run has a job; text does not become one by the way.
// Complaint: no matching (function|constructor)|conversion from|no viable conversion
#include <kleptometrics/kleptometrics.h>

#include <string_view>

int main() {
#ifdef MISUSE
  const kleptometrics::Run run = std::string_view("billing");
#else
  const kleptometrics::Run run("billing");
#endif
}
