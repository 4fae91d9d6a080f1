// What an API key opens. Each scope includes those before it: whoever may report runs may read them, and whoever may
// say what jobs are expected to do may do everything.
#pragma once

#include <optional>
#include <string_view>

namespace kleptometrics::aggregator::keys {

enum class Scope {
  kNone,   // no key is needed
  kRead,   // questions: every GET, and what changes nothing
  kWrite,  // telling what happens: runs, and that an alert was seen
  kAdmin,  // saying what is to happen: jobs, their schedules, pauses
};

// none, read, write, admin.
std::string_view name_of(Scope scope);
// Of a key: read, write or admin; nothing for anything else.
std::optional<Scope> parse_scope(std::string_view name);

inline bool includes(Scope has, Scope wanted) { return has >= wanted; }

}  // namespace kleptometrics::aggregator::keys
