// Who may include whom: reads the table of rooms (rooms.txt, which explains its own form) and judges #include
// lines by it. Pure: works on text; the test walks the tree.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace kleptometrics::layering {

struct Include {
  int line = 0;
  bool angled = false;  // <...>
  std::string target;
};

struct Violation {
  std::string file;
  int line = 0;
  std::string what;  // a sentence
};
std::string to_string(const Violation& violation);  // `file:line: what`

// The #include lines of a source text, in order.
std::vector<Include> includes_of(std::string_view text);

class Rooms {
 public:
  // Throws std::invalid_argument, naming the line, where the table cannot be understood or points at an
  // unknown room.
  static Rooms parse(std::string_view table);

  // Everything that is wrong with a file of the project; `path` is relative to the root, with '/'.
  std::vector<Violation> check(const std::string& path, std::string_view text) const;
  // Files of one folder that share a header of which only one may (source_once). `files`: path to text.
  std::vector<Violation> check_once(const std::map<std::string, std::string>& files) const;
  // Rooms on a circle of arrows, other than a room and the rooms inside it. Empty: there is none.
  std::vector<std::string> circle() const;

  // The innermost room that holds a file; empty if none does.
  std::string room_of(std::string_view path) const;
  const std::map<std::string, std::set<std::string>>& arrows() const { return arrows_; }

 private:
  std::string judge(const std::string& path, const std::string& room, const Include& include) const;
  std::string judge_project(const std::string& room, const std::string& target) const;
  std::string judge_outside(const std::string& path, const Include& include) const;
  bool reaches(const std::string& from, const std::string& goal, std::set<std::string>& seen) const;

  std::map<std::string, std::set<std::string>> arrows_;  // room to rooms and files
  std::map<std::string, std::set<std::string>> only_;    // pattern of a header to places
  std::map<std::string, std::set<std::string>> once_;    // header to folders
  std::set<std::string> std_only_;
};

}  // namespace kleptometrics::layering
