// A client that is gone at the semicolon would leave its run without effect.
// Complaint: no matching (function|constructor)|cannot bind non-const lvalue
#include <kleptometrics/kleptometrics.h>

int main() {
#ifdef MISUSE
  kleptometrics::Run run(kleptometrics::Client(), "billing");
#else
  kleptometrics::Client client;
  kleptometrics::Run run(client, "billing");
#endif
}
