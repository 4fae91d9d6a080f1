#include "aggregator/http/guard/head.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "aggregator/http/guard/text.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

Refusal bad(std::string detail) { return {400, std::move(detail)}; }
Refusal line_too_long() { return {414, "the request line is too long"}; }
Refusal head_too_large() { return {431, "the request's head has too many bytes or lines"}; }

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool has_control_char(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

std::optional<Refusal> parse_request_line(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == line.npos ? first : line.find(' ', first + 1);
  if (second == line.npos) return bad("the request line is not METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method)) return bad("the method is not a token");
  if (target.empty() || !is_visible(target))
    return bad("the request target is empty or has characters that must be percent-encoded");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.substr(0, 5) == "HTTP/" && is_visible(version))
      return Refusal{505, "HTTP/1.1 and HTTP/1.0 are served here"};
    return bad("the request line does not end in an HTTP version");
  }
  head.method = method;
  head.target = target;
  head.minor_version = version.back() - '0';
  return std::nullopt;
}

std::optional<Refusal> parse_field_line(std::string_view line, Head& head) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return bad("a header line has no colon");
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return bad("a header's name has characters other than a token's, or blanks around it");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (has_control_char(value)) return bad("a header's value has control characters");
  head.fields.push_back({lower(name), std::string(value)});
  return std::nullopt;
}

// `bytes` is a complete head, each line ended by CRLF.
std::variant<NeedMore, Head, Refusal> parse_lines(std::string_view bytes) {
  Head head;
  head.bytes = bytes.size();
  for (std::size_t start = 0; start + 2 < bytes.size();) {
    const std::size_t end = bytes.find('\n', start);
    const std::string_view line = bytes.substr(start, end - 1 - start);
    auto refusal = start == 0 ? parse_request_line(line, head) : parse_field_line(line, head);
    if (refusal) return *std::move(refusal);
    start = end + 1;
  }
  return head;
}

}  // namespace

const std::string* Head::find(std::string_view name) const {
  for (const HeaderField& field : fields) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

std::size_t Head::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [name](const HeaderField& field) { return field.name == name; }));
}

std::variant<NeedMore, Head, Refusal> parse_head(std::string_view bytes, const GuardLimits& limits, HeadScan& scan) {
  if (!bytes.empty() && !is_token_char(bytes.front())) {
    return bad("the request does not begin with a method; this address speaks plain HTTP/1.1");
  }
  for (;;) {
    const std::size_t newline = bytes.find('\n', scan.scanned);
    const std::size_t end = newline == bytes.npos ? bytes.size() : newline + 1;
    const std::size_t line_bytes = end - scan.line_start;
    if (scan.lines == 0 && line_bytes > limits.request_line_bytes_max) return line_too_long();
    if (end > limits.head_bytes_max) return head_too_large();
    scan.scanned = end;
    if (newline == bytes.npos) return NeedMore{};
    if (line_bytes < 2 || bytes[newline - 1] != '\r') return bad("a line of the head does not end in CRLF");
    if (line_bytes == 2) return parse_lines(bytes.substr(0, end));
    if (scan.lines++ == limits.header_lines_max + 1) return head_too_large();  // the request line is one of them
    scan.line_start = end;
  }
}

}  // namespace kleptometrics::aggregator::http::guard
