#include "lib/cells/remains.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <set>

#include "lib/base/limits.h"
#include "lib/cells/step_cell.h"

namespace kleptometrics::cells {
namespace {

// A copy of the open part. T: one of the structs of areas.h. Null if the size is not that of one.
template <typename T>
std::unique_ptr<T> restored(const std::string& open) {
  if (open.size() != sizeof(T)) return nullptr;
  auto out = std::make_unique<T>();
  std::memcpy(static_cast<void*>(out.get()), open.data(), sizeof(T));
  return out;
}

// The same of a table.
std::vector<std::atomic<std::uint64_t>> restored_words(const std::string& open) {
  std::vector<std::atomic<std::uint64_t>> out(open.size() / sizeof(std::uint64_t));
  if (!out.empty()) std::memcpy(static_cast<void*>(out.data()), open.data(), out.size() * sizeof(std::uint64_t));
  return out;
}

// One cell, put together again from its areas.
struct Cell {
  std::string_view path;
  std::unique_ptr<StepArea> area;
  std::map<std::uint64_t, std::vector<std::atomic<std::uint64_t>>> tables;  // by number

  std::optional<StepTotals> totals() {
    const std::uint64_t number = area->table.load();
    if (number == 0) return read_remains(*area, {});
    const auto table = tables.find(number);
    if (table == tables.end()) return std::nullopt;
    return read_remains(*area, {table->second.data(), table->second.size()});
  }
};

// Sums that executions can have, and a distribution of as many. Checks are no secret: what proves itself may still be
// the work of someone who wants to do harm.
bool possible(const StepTotals& totals) {
  return totals.failed <= totals.count && totals.min <= totals.max && totals.max <= totals.total &&
         totals.sketch.count() == totals.count;
}

// Whether the aggregator could still keep the sum: it holds integers of 64 bits with a sign.
bool addable(const StepTotals& to, const StepTotals& more) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  return more.count <= kMax - to.count && more.total <= kMax - to.total;
}

// Reads the areas of one run, each cell before its tables, and adds the cells up by step. Of a step that is not all
// there nothing is told: its last snapshot knows more.
class RunReader {
 public:
  void cell(std::string_view path, std::unique_ptr<StepArea> area) {
    end_cell();
    cell_ = Cell{path, std::move(area), {}};
  }

  void table(std::uint64_t number, const std::string& open) { cell_.tables.emplace(number, restored_words(open)); }

  void counter(std::string_view name, std::unique_ptr<NumberArea> area) {
    const auto value = number_in(area.get());
    if (value && out_.counters.size() < limits::counter_count_max)
      out_.counters.insert_or_assign(std::string(name), *value);
  }

  void progress(std::unique_ptr<NumberArea> area) {
    out_.progress = number_in(area.get());
    if (!out_.progress || (*out_.progress >= 0 && *out_.progress <= 1)) return;
    out_.progress.reset();
    ++out_.damaged;
  }

  RunRemains finish() {
    end_cell();
    auto& steps = out_.steps;
    const auto untold = [&](const auto& step) { return step.second.count == 0 || partial_.count(step.first) != 0; };
    steps.erase(std::remove_if(steps.begin(), steps.end(), untold), steps.end());
    return std::move(out_);
  }

 private:
  void end_cell() {
    Cell cell = std::exchange(cell_, Cell{});
    if (cell.area == nullptr) return;
    auto& steps = out_.steps;
    auto step = std::find_if(steps.begin(), steps.end(), [&](const auto& each) { return each.first == cell.path; });
    if (step == steps.end()) {
      if (steps.size() == limits::step_count_max) return;
      step = steps.emplace(steps.end(), std::string(cell.path), StepTotals{});
    }
    if (cell.area->elsewhere.load() != 0) {
      partial_.insert(step->first);
    } else if (auto totals = cell.totals(); totals && possible(*totals) && addable(step->second, *totals)) {
      step->second.add(*std::move(totals));
    } else {
      ++out_.damaged;
      partial_.insert(step->first);
    }
  }

  std::optional<double> number_in(const NumberArea* area) {
    const auto read = area == nullptr ? std::nullopt : area->number.read();
    if (read && read->version == 0) return std::nullopt;
    const double value = read ? std::bit_cast<double>(read->words[0]) : NAN;
    if (std::isfinite(value)) return value;
    ++out_.damaged;
    return std::nullopt;
  }

  RunRemains out_;
  Cell cell_;
  std::set<std::string> partial_;
};

}  // namespace

Remains::Remains(const std::vector<journal::AreaBytes>& areas) {
  for (const journal::AreaBytes& area : areas)
    if (const auto name = AreaName::parse(area.fixed)) by_run_[name->run].push_back({*name, &area.open});
  const auto earlier = [](const Found& a, const Found& b) {
    return std::pair(a.name.cell, a.name.kind) < std::pair(b.name.cell, b.name.kind);
  };
  for (auto& [run, found] : by_run_) std::stable_sort(found.begin(), found.end(), earlier);
}

RunRemains Remains::of(const Uuid& run) const {
  RunReader reader;
  const auto found = by_run_.find(run);
  if (found == by_run_.end()) return {};
  std::uint64_t cell = 0;
  for (const auto& [name, open] : found->second) {
    switch (name.kind) {
      case AreaKind::kStepCell:
        cell = name.cell;
        reader.cell(name.name, restored<StepArea>(*open));
        break;
      case AreaKind::kTable:
        if (name.cell == cell) reader.table(name.table, *open);
        break;
      case AreaKind::kCounter:
        reader.counter(name.name, restored<NumberArea>(*open));
        break;
      case AreaKind::kProgress:
        reader.progress(restored<NumberArea>(*open));
        break;
    }
  }
  return reader.finish();
}

}  // namespace kleptometrics::cells
