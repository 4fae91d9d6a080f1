#include "lib/src/http_response.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace kleptometrics::internal {
namespace {

constexpr std::size_t kHeadBytesMax = 16U << 10U;
constexpr std::size_t kBodyBytesMax = 4U << 20U;
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

struct Head {
  int status = 0;
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
    return head->length.has_value() && *head->length <= kBodyBytesMax;
  }
  if (same_ignoring_case(name, "Transfer-Encoding")) {
    head->chunked = same_ignoring_case(value, "chunked");
    return head->chunked;
  }
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
HttpProgress read_chunks(std::string_view bytes, std::string* body) {
  for (;;) {
    const std::size_t line = bytes.find(kLineEnd);
    if (line == std::string_view::npos) return bytes.size() > kHeadBytesMax ? HttpProgress::kBad : HttpProgress::kMore;
    const auto size = number(bytes.substr(0, std::min(line, bytes.find(';'))), 16);
    if (!size || *size > kBodyBytesMax || body->size() + *size > kBodyBytesMax) return HttpProgress::kBad;
    bytes.remove_prefix(line + kLineEnd.size());
    if (bytes.size() < *size + kLineEnd.size()) return HttpProgress::kMore;
    if (*size == 0) return HttpProgress::kDone;  // trailers are of no interest; the connection is not used again
    body->append(bytes.substr(0, *size));
    bytes.remove_prefix(*size + kLineEnd.size());
  }
}

HttpProgress read_body(const Head& head, std::string_view bytes, bool closed, HttpResponse* out) {
  if (head.chunked) {
    out->keeps_alive = false;
    return read_chunks(bytes, &out->body);
  }
  if (head.length) {
    if (bytes.size() < *head.length) return HttpProgress::kMore;
    out->body = bytes.substr(0, *head.length);
    if (bytes.size() > *head.length) out->keeps_alive = false;
    return HttpProgress::kDone;
  }
  out->keeps_alive = false;  // the body ends with the connection
  out->body = bytes;
  if (bytes.size() > kBodyBytesMax) return HttpProgress::kBad;
  return closed || head.status == 204 || head.status == 304 ? HttpProgress::kDone : HttpProgress::kMore;
}

}  // namespace

HttpProgress read_response(std::string_view bytes, bool closed, HttpResponse* out) {
  for (;;) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos || end > kHeadBytesMax)
      return closed || bytes.size() > kHeadBytesMax ? HttpProgress::kBad : HttpProgress::kMore;
    const std::optional<Head> head = read_head(bytes.substr(0, end + kLineEnd.size()));
    if (!head) return HttpProgress::kBad;
    bytes.remove_prefix(end + 2 * kLineEnd.size());
    if (head->status < 200) continue;
    *out = {head->status, {}, head->keeps_alive};
    const HttpProgress progress = read_body(*head, bytes, closed, out);
    return progress == HttpProgress::kMore && closed ? HttpProgress::kBad : progress;
  }
}

}  // namespace kleptometrics::internal
