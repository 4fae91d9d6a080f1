// A client moves, and has no second copy.
// Complaint: deleted
#include <kleptometrics/kleptometrics.h>

#include <utility>

int main() {
  kleptometrics::Client client;
#ifdef MISUSE
  const kleptometrics::Client other = client;
#else
  const kleptometrics::Client other = std::move(client);
#endif
}
