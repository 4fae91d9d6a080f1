// Nor does a run live longer without a name because its client has one.
// Complaint: unused-(value|result)|nodiscard
#include <kleptometrics/kleptometrics.h>

int main() {
  kleptometrics::Client client;
#ifdef MISUSE
  kleptometrics::Run(client, "billing");
#else
  kleptometrics::Run run(client, "billing");
#endif
}
