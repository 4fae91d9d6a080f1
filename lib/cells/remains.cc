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

// One cell, put together again from its areas.
struct Cell {
  std::string_view path;
  std::unique_ptr<StepArea> area;
  Sketch sketch;
  std::uint64_t counted = 0;  // values in the sketch
  bool whole = true;
};

// The program may have been killed between the sums and the bucket of its last execution.
bool finish_last(const TwinSlots<StepArea::kWords>::Read& sums, Cell* cell) {
  const auto before = cell->area->executions.read_before(sums);
  if (!before) return false;
  const std::uint64_t last = sums.words[StepArea::kTotal] - before->words[StepArea::kTotal];
  if (last == 0) {
    cell->sketch.add_zero(1);
  } else {
    cell->sketch.add(last);
  }
  return true;
}

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

// Nullopt if it contradicts itself.
std::optional<StepTotals> totals_of(Cell cell) {
  const auto sums = cell.area->executions.read();
  if (!sums) return std::nullopt;
  if (cell.counted + 1 == sums->version) {
    if (!finish_last(*sums, &cell)) return std::nullopt;
  } else if (cell.counted != sums->version) {
    return std::nullopt;
  }
  StepTotals out;
  out.count = sums->version;
  out.failed = sums->words[StepArea::kFailed];
  out.total = sums->words[StepArea::kTotal];
  out.min = sums->words[StepArea::kMin];
  out.max = sums->words[StepArea::kMax];
  out.sketch = std::move(cell.sketch);
  return possible(out) ? std::optional(std::move(out)) : std::nullopt;
}

// Reads the areas of one run, each cell before its octaves, and adds the cells up by step. Of a step that is not all
// there nothing is told: its last snapshot knows more.
class RunReader {
 public:
  void cell(std::string_view path, std::unique_ptr<StepArea> area) {
    end_cell();
    cell_ = Cell{path, std::move(area), {}, 0, true};
    if (cell_.area == nullptr) return;
    cell_.counted = cell_.area->zeros.load();
    cell_.sketch.add_zero(cell_.counted);
  }

  void octave(std::size_t octave, std::unique_ptr<OctaveArea> area) {
    if (cell_.area == nullptr) return;  // its cell was lost
    if (area == nullptr || octave >= kOctaves) {
      cell_.whole = false;
    } else {
      cell_.counted += add_octave(*area, octave, &cell_.sketch);
    }
  }

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
    } else if (const auto totals = cell.whole ? totals_of(std::move(cell)) : std::nullopt;
               totals && addable(step->second, *totals)) {
      step->second.add(*totals);
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
      case AreaKind::kOctave:
        if (name.cell == cell) reader.octave(name.octave, restored<OctaveArea>(*open));
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
