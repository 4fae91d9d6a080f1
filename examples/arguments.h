// The command line of an example: `--name VALUE`, `--name=VALUE`, plain words, `--help`. What cannot be
// understood ends the program with a line on stderr and exit code 2, before any work is done.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace examples {

class Arguments {
 public:
  // `usage` is what --help prints; its first word is the program's name. Borrows all three.
  Arguments(int argc, char** argv, std::string_view usage) : argc_(argc), argv_(argv), usage_(usage) {}

  // On to the next argument; false behind the last.
  bool next() {
    if (attached_) refuse(name_ + " takes no value");
    if (++at_ >= argc_) return false;
    name_ = argv_[at_];
    const std::size_t equals = name_.find('=');
    if (name_.rfind("--", 0) == 0 && equals != std::string::npos) {
      attached_ = true;
      value_ = name_.substr(equals + 1);
      name_.resize(equals);
    }
    if (name_ == "--help") {
      std::fwrite(usage_.data(), 1, usage_.size(), stdout);
      std::exit(0);
    }
    return true;
  }

  bool is(std::string_view name) const { return name_ == name; }
  // Not an option: a plain word, `-` included.
  bool is_word() const { return name_ == "-" || name_.rfind('-', 0) != 0; }
  const std::string& word() const { return name_; }

  // The value of the option: behind its '=', else the next argument.
  std::string value() {
    if (!attached_) {
      if (at_ + 1 >= argc_) refuse(name_ + " needs a value");
      return argv_[++at_];
    }
    attached_ = false;
    return value_;
  }
  // The value behind '=', or what is meant without one.
  std::string value_or(std::string_view otherwise) { return attached_ ? value() : std::string(otherwise); }

  double number(double least, double most) {
    const std::string text = value();
    char* end = nullptr;
    errno = 0;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || errno != 0 || !(number >= least && number <= most))
      refuse(name_ + ": '" + text + "' is not a number from " + plain(least) + " to " + plain(most));
    return number;
  }
  unsigned whole_number(unsigned least, unsigned most) {
    const double value = number(least, most);
    const auto whole = static_cast<unsigned>(value);
    if (static_cast<double>(whole) != value) refuse(name_ + " takes a whole number");
    return whole;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    const std::string program(usage_.substr(0, usage_.find_first_of(" \n")));
    std::fprintf(stderr, "%s: %s (see --help)\n", program.c_str(), why.c_str());
    std::exit(2);
  }
  [[noreturn]] void refuse_unknown() const { refuse("unknown argument '" + name_ + "'"); }

 private:
  static std::string plain(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", number);
    return text;
  }

  int argc_;
  char** argv_;
  std::string_view usage_;
  int at_ = 0;
  bool attached_ = false;
  std::string name_, value_;
};

}  // namespace examples
