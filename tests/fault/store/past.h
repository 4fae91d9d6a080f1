// Runs that follow from a seed and a number, at every stage of their lives: whoever tells of one tells the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "aggregator/model/run.h"
#include "tests/fault/kill/history.h"

namespace kleptometrics::fault {

class Past {
 public:
  // `text_bytes`: of a text that each run carries and that nothing makes smaller.
  explicit Past(std::uint64_t seed, std::size_t text_bytes = 0) : seed_(seed), text_bytes_(text_bytes) {}

  Uuid id(std::uint32_t number) const;  // half of them of version 7
  aggregator::Run begun(std::uint32_t number) const;
  aggregator::Run ended(std::uint32_t number) const;     // by its own reporter
  aggregator::Run presumed(std::uint32_t number) const;  // crashed, by another's verdict
  // With additions of others, `revision` of them.
  static aggregator::Run noted(aggregator::Run run, std::uint64_t revision);

 private:
  std::uint64_t draw(std::uint32_t number, std::uint64_t what) const { return drawn(seed_ + what, number); }
  void measure(std::uint32_t number, aggregator::Run& run) const;

  const std::uint64_t seed_;
  const std::size_t text_bytes_;
};

}  // namespace kleptometrics::fault
