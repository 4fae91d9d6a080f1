#include "lib/http/response.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace kleptometrics::http {
namespace {

constexpr std::size_t kHeadBytesMax = 16U << 10U;
constexpr std::string_view kLineEnd = "\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::size_t> number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// `application/json` of `Application/JSON; charset=utf-8`.
std::string media_type(std::string_view value) {
  value = value.substr(0, value.find(';'));
  value = value.substr(0, value.find_last_not_of(" \t") + 1);
  std::string type(value);
  std::transform(type.begin(), type.end(), type.begin(), lower);
  return type;
}

struct Head {
  int status = 0;
  std::string content_type;
  std::optional<std::size_t> length;
  bool chunked = false;
  bool keeps_alive = true;
};

bool read_field(std::string_view line, Head* head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (same_ignoring_case(name, "Content-Length")) {
    head->length = number(value, 10);
    return head->length.has_value();
  }
  if (same_ignoring_case(name, "Transfer-Encoding")) {
    head->chunked = same_ignoring_case(value, "chunked");
    return head->chunked;
  }
  if (same_ignoring_case(name, "Content-Type")) head->content_type = media_type(value);
  if (same_ignoring_case(name, "Connection") && same_ignoring_case(value, "close")) head->keeps_alive = false;
  return true;
}

// `text`: status line and fields, each with its line end.
std::optional<Head> read_head(std::string_view text) {
  Head head;
  const std::string_view status_line = text.substr(0, text.find(kLineEnd));
  if (status_line.size() < 12 || status_line.substr(0, 7) != "HTTP/1." || status_line[8] != ' ') return std::nullopt;
  const auto status = number(status_line.substr(9, 3), 10);
  if (!status || *status < 100) return std::nullopt;
  head.status = static_cast<int>(*status);
  head.keeps_alive = status_line[7] != '0';
  text.remove_prefix(status_line.size() + kLineEnd.size());
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find(kLineEnd));
    if (!read_field(line, &head)) return std::nullopt;
    text.remove_prefix(line.size() + kLineEnd.size());
  }
  return head;
}

// A chunk: its size in hexadecimal, perhaps an extension, a line, the bytes, a line end. The last has size 0.
Progress read_chunks(std::string_view bytes, std::size_t body_bytes_max, std::string* body) {
  for (;;) {
    const std::size_t line = bytes.find(kLineEnd);
    if (line == std::string_view::npos) return bytes.size() > kHeadBytesMax ? Progress::kBad : Progress::kMore;
    const auto size = number(bytes.substr(0, std::min(line, bytes.find(';'))), 16);
    if (!size || *size > body_bytes_max - body->size()) return Progress::kBad;
    bytes.remove_prefix(line + kLineEnd.size());
    if (bytes.size() < *size + kLineEnd.size()) return Progress::kMore;
    if (*size == 0) return Progress::kDone;  // trailers are of no interest; the connection is not used again
    body->append(bytes.substr(0, *size));
    bytes.remove_prefix(*size + kLineEnd.size());
  }
}

Progress read_body(const Head& head, std::string_view bytes, bool closed, std::size_t body_bytes_max, Response* out) {
  if (head.chunked) {
    out->keeps_alive = false;
    return read_chunks(bytes, body_bytes_max, &out->body);
  }
  if (head.length) {
    if (*head.length > body_bytes_max) return Progress::kBad;
    if (bytes.size() < *head.length) return Progress::kMore;
    out->body = bytes.substr(0, *head.length);
    if (bytes.size() > *head.length) out->keeps_alive = false;
    return Progress::kDone;
  }
  out->keeps_alive = false;  // the body ends with the connection
  if (bytes.size() > body_bytes_max) return Progress::kBad;
  out->body = bytes;
  return closed || head.status == 204 || head.status == 304 ? Progress::kDone : Progress::kMore;
}

}  // namespace

Progress read_response(std::string_view bytes, bool closed, std::size_t body_bytes_max, Response* out) {
  for (;;) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos || end > kHeadBytesMax)
      return closed || bytes.size() > kHeadBytesMax ? Progress::kBad : Progress::kMore;
    std::optional<Head> head = read_head(bytes.substr(0, end + kLineEnd.size()));
    if (!head) return Progress::kBad;
    bytes.remove_prefix(end + 2 * kLineEnd.size());
    if (head->status < 200) continue;
    *out = {head->status, std::move(head->content_type), {}, head->keeps_alive};
    const Progress progress = read_body(*head, bytes, closed, body_bytes_max, out);
    return progress == Progress::kMore && closed ? Progress::kBad : progress;
  }
}

}  // namespace kleptometrics::http
