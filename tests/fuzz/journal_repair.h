// Makes a journal that was tampered with prove itself again: checksums of the head, of records and of areas, and the
// checks within areas. Whoever owns a spool can do the same, so the reader must bear it. For the journal's mutator, and
// for the maker of the corpus. Pure.
#pragma once

#include <cstddef>

#include "lib/journal/format.h"

namespace kleptometrics::fuzz {

// One thread. Borrows the bytes, and never touches others.
class JournalRepair {
 public:
  JournalRepair(char* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  // Both copies of the head, as far as they are there.
  void heads() const;
  // Every record and area whose length lies in the file, by the key of the head.
  void checksums() const;
  // Every area whose open part has the size of one: the checks of its slots.
  void slots() const;
  // Every cell of a step: as many executions as are counted in it and its octaves, with checks. Modulo 2^64.
  void counts() const;

  struct Place {
    std::size_t at = 0;  // of the record's or the area's head
    journal::RecordHead head;
    bool open = false;
  };
  // The next record or area at `from`, which lies at the beginning of a unit, or behind it. False if there is none.
  bool next(std::size_t from, Place* place) const;
  // Where to look for the one behind it.
  static std::size_t behind(const Place& place);

 private:
  journal::Key key() const;

  char* bytes_;
  std::size_t size_;
};

}  // namespace kleptometrics::fuzz
