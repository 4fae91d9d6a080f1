// Fuzz target: a sketch's bytes as a damaged store may hold them. Whatever they are, they are refused, or they are the
// one form of a sketch that can be used.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/sketch/sketch.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics {
namespace {

using fuzz::expect;

void check_form(const Sketch& sketch, std::string_view bytes) {
  expect(sketch.encode() == bytes, "a sketch is written as it was read");
  Sketch again;
  expect(again.decode(sketch.encode()) && again == sketch, "a sketch is read as it was written");
  expect(sketch.counts().empty() || (sketch.counts().front() != 0 && sketch.counts().back() != 0),
         "a sketch that was read has no empty buckets at its ends");
}

void check_use(Sketch sketch) {
  expect(sketch.quantile(0.5) >= sketch.quantile(0), "quantiles rise");
  expect(sketch.quantile(1) >= sketch.quantile(0.5), "quantiles rise to the end");
  Sketch sum;
  sum.merge(sketch);
  Sketch coarse = sketch;
  coarse.coarsen();
  coarse.merge(sketch);
  sketch.merge(sum);
  sketch.coarsen();
  expect(sketch == coarse, "merging and coarsening commute");
}

void read_as_sketch(std::string_view bytes) {
  Sketch sketch;
  if (!sketch.decode(bytes)) {
    expect(sketch == Sketch{}, "a sketch that is refused is empty");
    return;
  }
  check_form(sketch, bytes);
  check_use(sketch);
}

}  // namespace
}  // namespace kleptometrics

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::read_as_sketch({reinterpret_cast<const char*>(data), size});
  return 0;
}
