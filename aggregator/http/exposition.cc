#include "aggregator/http/exposition.h"

#include <charconv>
#include <cmath>

#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

template <typename Number>
void append(std::string& text, Number value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text.append(digits, end);
}

void append_double(std::string& text, double value) {
  if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
  } else {
    append(text, value);
  }
}

// Of a value of a label, and where `quote` is empty of a help text.
void append_escaped(std::string& text, std::string_view value, std::string_view quote) {
  for (const char c : value) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      if (!quote.empty() && c == quote.front()) text += '\\';
      text += c;
    }
  }
}

}  // namespace

std::string exposed(double value) {
  std::string text;
  append_double(text, value);
  return text;
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ");
  append_escaped(text_, help, {});
  text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void Exposition::head(std::initializer_list<Label> labels, std::string_view suffix) {
  text_.append(name_).append(suffix);
  if (labels.size() != 0) {
    char separator = '{';
    for (const auto& [name, value] : labels) {
      text_ += separator;
      text_.append(name).append("=\"");
      append_escaped(text_, value, "\"");
      text_ += '"';
      separator = ',';
    }
    text_ += '}';
  }
  text_ += ' ';
}

void Exposition::sample(std::initializer_list<Label> labels, double value, std::string_view suffix) {
  head(labels, suffix);
  append_double(text_, value);
  text_ += '\n';
}

void Exposition::sample(std::initializer_list<Label> labels, std::uint64_t value, std::string_view suffix) {
  head(labels, suffix);
  append(text_, value);
  text_ += '\n';
}

}  // namespace kleptometrics::aggregator::http
