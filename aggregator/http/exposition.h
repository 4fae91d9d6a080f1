// The text format of Prometheus (exposition format 0.0.4): families of samples, one a line. Pure, but for the text that
// it writes into; one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kleptometrics::aggregator::http {

inline constexpr std::string_view kExposition = "text/plain; version=0.0.4; charset=utf-8";

// A number of the service's own, of whoever counts: `name` begins behind `kleptometrics_`, and that of a counter ends
// in
// `_total`.
struct ServiceCounter {
  std::string_view name, help;
  std::uint64_t value = 0;
  std::string_view type = "counter";  // or gauge
};
using ServiceCounters = std::function<std::vector<ServiceCounter>()>;

class Exposition {
 public:
  using Label = std::pair<std::string_view, std::string_view>;

  // Begins a family: the samples that follow are of it. `type` is counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the family; `suffix` behind its name, as the parts of a histogram have. Values of labels are escaped.
  void sample(std::initializer_list<Label> labels, double value, std::string_view suffix = {});
  void sample(std::initializer_list<Label> labels, std::uint64_t value, std::string_view suffix = {});

  std::string& text() { return text_; }

 private:
  void head(std::initializer_list<Label> labels, std::string_view suffix);

  std::string name_;
  std::string text_;
};

// With as few digits as give the same double; `+Inf` for infinity.
std::string exposed(double value);

}  // namespace kleptometrics::aggregator::http
