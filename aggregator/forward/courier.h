// Has another transport post on a thread of its own, so that whoever waits for the answer can leave: a peer that does
// not answer, or a resolver of names, must not hold up the end of the process. Who is still on the way by then is left
// alone, with all that it needs.
#pragma once

#include <memory>
#include <string>

#include "aggregator/forward/transport.h"

namespace kleptometrics::aggregator {

class Courier final : public Transport {
 public:
  explicit Courier(std::unique_ptr<Transport> transport);
  ~Courier() override;  // waits for nobody
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  Reply post(std::string body) override;
  void give_up() override;

 private:
  struct Shared;
  static void carry(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

}  // namespace kleptometrics::aggregator
