#include "tests/layering/layering.h"

#include <algorithm>
#include <cstddef>
#include <sstream>

namespace kleptometrics::layering {
namespace {

constexpr std::string_view kProto = "proto";
constexpr std::string_view kPublicHeaders = "lib/include";

bool begins(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }
bool ends(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Is the path the place itself, or inside the folder of that name?
bool within(std::string_view path, std::string_view place) {
  return path == place || (path.size() > place.size() && begins(path, place) && path[place.size()] == '/');
}
bool within_any(std::string_view path, const std::set<std::string>& places) {
  return std::any_of(places.begin(), places.end(), [&](const std::string& place) { return within(path, place); });
}

bool matches(std::string_view header, std::string_view pattern) {
  if (ends(pattern, "/")) return begins(header, pattern);
  if (begins(pattern, ".")) return ends(header, pattern);
  return header == pattern;
}

// <vector>, <sys/stat.h>: the former alone is of the C++ standard library.
bool of_standard_library(const Include& include) {
  return include.angled && include.target.find_first_of("./") == std::string::npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> words_of(std::string_view line) {
  std::istringstream stream{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Calls `visit(number, line)` for every line, numbered from 1.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(number, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string listed(const std::set<std::string>& places) {
  std::string text;
  for (const std::string& place : places) text += (text.empty() ? "" : ", ") + place;
  return text;
}

}  // namespace

std::string to_string(const Violation& violation) {
  return violation.file + ":" + std::to_string(violation.line) + ": " + violation.what;
}

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> includes;
  for_each_line(text, [&](int number, std::string_view line) {
    line = trimmed(line);
    if (!begins(line, "#")) return;
    line = trimmed(line.substr(1));
    if (!begins(line, "include")) return;
    line = trimmed(line.substr(7));
    if (line.empty() || (line[0] != '<' && line[0] != '"')) return;
    const std::size_t end = line.find(line[0] == '<' ? '>' : '"', 1);
    if (end == std::string_view::npos) return;
    includes.push_back({number, line[0] == '<', std::string(line.substr(1, end - 1))});
  });
  return includes;
}

Rooms Rooms::parse(std::string_view table) {
  Rooms rooms;
  const auto refuse = [](int number, const std::string& why) {
    throw std::invalid_argument("rooms, line " + std::to_string(number) + ": " + why);
  };
  for_each_line(table, [&](int number, std::string_view line) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty() || begins(words[0], "#")) return;
    const auto rest = [&](std::size_t from) {
      if (words.size() <= from) refuse(number, "says nothing behind '" + words.back() + "'");
      return std::set<std::string>(words.begin() + static_cast<std::ptrdiff_t>(from), words.end());
    };
    if (words.size() >= 2 && words[1] == "->") {
      if (!rooms.arrows_.emplace(words[0], std::set<std::string>(words.begin() + 2, words.end())).second)
        refuse(number, "'" + words[0] + "' stands here twice");
    } else if (words[0] == "header" && words.size() >= 3 && words[2] == "only") {
      rooms.only_[words[1]] = rest(3);
    } else if (words[0] == "source_once" && words.size() >= 2) {
      rooms.once_[words[1]] = rest(2);
    } else if (words[0] == "std_only") {
      rooms.std_only_ = rest(1);
    } else {
      refuse(number, "neither an arrow nor a rule");
    }
  });
  for (const auto& [room, targets] : rooms.arrows_) {
    for (const std::string& target : targets) {
      if (target != "*" && target != kProto && rooms.room_of(target).empty())
        throw std::invalid_argument("rooms: '" + room + "' points at '" + target + "', which is no room");
    }
  }
  return rooms;
}

std::string Rooms::room_of(std::string_view path) const {
  std::string best;
  for (const auto& [room, targets] : arrows_) {
    if (within(path, room) && room.size() >= best.size()) best = room;
  }
  return best;
}

std::vector<Violation> Rooms::check(const std::string& path, std::string_view text) const {
  const std::string room = room_of(path);
  if (room.empty()) return {{path, 1, "lies in no room of tests/layering/rooms.txt"}};
  std::vector<Violation> violations;
  for (const Include& include : includes_of(text)) {
    std::string what = judge(path, room, include);
    if (!what.empty()) violations.push_back({path, include.line, std::move(what)});
  }
  return violations;
}

// Empty: allowed. Otherwise why not.
std::string Rooms::judge(const std::string& path, const std::string& room, const Include& include) const {
  const std::string& target = include.target;
  const std::string refused = judge_outside(path, include);
  if (!refused.empty()) return refused;
  if (ends(target, ".pb.h")) return judge_project(room, std::string(kProto));
  if (begins(target, "kleptometrics/")) return judge_project(room, std::string(kPublicHeaders) + "/" + target);
  if (!room_of(target).empty()) return judge_project(room, target);
  for (const std::string_view top : {"lib/", "aggregator/", "examples/", "tests/", "proto/", "cmake/"}) {
    if (begins(target, top)) return "includes \"" + target + "\", which lies in no room";
  }
  // What is left comes from outside. Quotes would also find a neighbour by its bare name: one spelling a
  // file.
  if (!include.angled && target.find('/') == std::string::npos)
    return "includes \"" + target + "\" by its bare name: spell it from the project's root";
  if (begins(target, ".")) return "includes \"" + target + "\" by a relative path: spell it from the project's root";
  return {};
}

std::string Rooms::judge_project(const std::string& room, const std::string& target) const {
  const std::string to = target == kProto ? target : room_of(target);
  const std::set<std::string>& open = arrows_.at(room);
  if (to == room || open.count("*") != 0 || open.count(to) != 0 || open.count(target) != 0) return {};
  return "includes " + target + ", but there is no arrow " + room + " -> " + to +
         "; open from there: " + (open.empty() ? "nothing" : listed(open));
}

std::string Rooms::judge_outside(const std::string& path, const Include& include) const {
  for (const auto& [pattern, places] : only_) {
    if (matches(include.target, pattern) && !within_any(path, places))
      return "includes " + include.target + ", which is kept to " + listed(places);
  }
  const bool ours = begins(include.target, "kleptometrics/") || !room_of(include.target).empty();
  if (within_any(path, std_only_) && !ours && !of_standard_library(include))
    return "includes " + include.target + ", but here only the standard library may come from outside";
  return {};
}

std::vector<Violation> Rooms::check_once(const std::map<std::string, std::string>& files) const {
  std::vector<Violation> violations;
  for (const auto& [header, folders] : once_) {
    for (const std::string& folder : folders) {
      std::string first;
      for (const auto& [path, text] : files) {
        if (!within(path, folder)) continue;
        for (const Include& include : includes_of(text)) {
          if (include.target != header) continue;
          if (!ends(path, ".cc")) violations.push_back({path, include.line, header + " belongs into a .cc file"});
          if (!first.empty()) violations.push_back({path, include.line, header + " is already in " + first});
          if (first.empty()) first = path;
        }
      }
    }
  }
  return violations;
}

bool Rooms::reaches(const std::string& from, const std::string& goal, std::set<std::string>& seen) const {
  const auto found = arrows_.find(from);
  if (found == arrows_.end() || !seen.insert(from).second) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const std::string& target) {
    // An arrow to a single file is no way on: it opens a value, not a room.
    if (arrows_.count(target) == 0 || within(target, from) || within(from, target)) return false;
    return target == goal || reaches(target, goal, seen);
  });
}

std::vector<std::string> Rooms::circle() const {
  std::vector<std::string> rooms;
  for (const auto& [room, targets] : arrows_) {
    std::set<std::string> seen;
    if (reaches(room, room, seen)) rooms.push_back(room);
  }
  return rooms;
}

}  // namespace kleptometrics::layering
