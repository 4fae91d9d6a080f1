// What the benchmark of the aggregator prints: tables for people. Speeds are reported and never judged; what is judged
// is that everything was answered and adds up, and that decides the exit code. One thread at a time.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/floor.h"
#include "tests/bench/load.h"
#include "tests/bench/questions.h"

namespace kleptometrics::bench {

class Report {
 public:
  void title(const std::string& text);
  // `  name   value`, the value as printf() writes it.
  [[gnu::format(printf, 3, 4)]] void line(const char* name, const char* format, ...);
  // Notes what is not as it must be. Returns `right`.
  bool check(bool right, const std::string& what);
  int wrong() const { return wrong_; }

  // Runs a second in all and for each part, the last three parts against the first three, bytes on the wire.
  void load(const LoadResult& load, std::uint64_t mark_every);
  // The load against the floor before and after it.
  void against_floor(const LoadResult& load, const Floor& before, const Floor& after);
  // `peer`: medians of another system for the same questions, 0 where there is none; may be empty.
  void questions(const std::vector<Timing>& timings, const std::vector<double>& peer = {},
                 const std::string& peer_name = "");
  // Two systems that were asked the same, and how much longer the second takes.
  void beside(const std::vector<Timing>& one, const std::string& its_name, const std::vector<Timing>& other,
              const std::string& other_name, double at_most);
  // How much longer the second takes than the first.
  void growth(const std::vector<Timing>& before, const std::vector<Timing>& after);

 private:
  int wrong_ = 0;
};

}  // namespace kleptometrics::bench
