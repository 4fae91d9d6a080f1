// A scenario of the fault matrix: how often it strikes, by which seed, and what is said of it. KLEPTO_FAULT_SCALE
// multiplies the figures, KLEPTO_FAULT_SEED plays one again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::fault {

// A figure of the matrix, as this environment asks for it.
inline int scaled(int figure) {
  const char* const scale = std::getenv("KLEPTO_FAULT_SCALE");
  const int times = scale == nullptr ? 1 : std::atoi(scale);
  return figure * (times < 1 ? 1 : times);
}

// What is wrong after a scenario, a sentence each; none: the promise held.
using Faults = std::vector<std::string>;

// At most ten of them in a text.
inline std::string text_of(const Faults& faults) {
  constexpr std::size_t kShown = 10;
  std::string text = std::to_string(faults.size()) + " faults\n";
  for (std::size_t i = 0; i < faults.size() && i < kShown; ++i) text += "  " + faults[i] + "\n";
  return text;
}

class Scenario {
 public:
  explicit Scenario(std::string name) : name_(std::move(name)) {}

  std::uint64_t seed() const { return seed_; }
  // From 0 to `end` - 1.
  std::uint64_t random(std::uint64_t end) { return random_() % end; }
  // The moment of a fault lies at random within `longest`.
  void wait_within(std::chrono::microseconds longest) {
    const auto most = static_cast<std::uint64_t>(longest.count());
    std::this_thread::sleep_for(std::chrono::microseconds(random(most + 1)));
  }

  // With every failure.
  std::string label() const { return name_ + " KLEPTO_FAULT_SEED=" + std::to_string(seed_); }
  // One line of what was done.
  void report(const std::string& what) const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun_;
    std::cout << label() << ": " << what << ", " << took.count() << " s" << std::endl;
  }

 private:
  static std::uint64_t chosen_seed() {
    const char* const given = std::getenv("KLEPTO_FAULT_SEED");
    constexpr std::uint64_t kDefault = 1454260814;  // what a test says of a commit must not be a matter of luck
    return given == nullptr ? kDefault : std::strtoull(given, nullptr, 10);
  }

  const std::string name_;
  const std::uint64_t seed_ = chosen_seed();
  std::mt19937_64 random_{seed_};
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// Fails with the seed and the first faults, if there are any.
inline void require_none(const Scenario& scenario, const Faults& faults) {
  INFO(scenario.label() << "\n" << text_of(faults));
  REQUIRE(faults.empty());
}

}  // namespace kleptometrics::fault
