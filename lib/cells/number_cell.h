// A number of a run that is set now and then (a counter, the progress), kept in the journal where that has room, so
// that its last value survives the program. Not synchronised: one thread at a time.
#pragma once

#include <bit>
#include <cstdint>

#include "lib/cells/areas.h"
#include "lib/journal/journal.h"

namespace kleptometrics::cells {

class NumberCell {
 public:
  // Borrows the journal. Takes memory for a moment.
  NumberCell(journal::Writer& journal, const AreaName& name)
      : journal_(journal), area_(reserve<NumberArea>(journal, name)) {}
  ~NumberCell() { release(journal_, area_); }
  NumberCell(const NumberCell&) = delete;
  NumberCell& operator=(const NumberCell&) = delete;

  void set(double value) noexcept {
    value_ = value;
    if (area_ != nullptr) area_->number.write(++version_, {std::bit_cast<std::uint64_t>(value)});
  }
  double get() const noexcept { return value_; }
  bool in_journal() const noexcept { return area_ != nullptr; }

 private:
  journal::Writer& journal_;
  NumberArea* const area_;
  std::uint64_t version_ = 0;
  double value_ = 0;
};

}  // namespace kleptometrics::cells
