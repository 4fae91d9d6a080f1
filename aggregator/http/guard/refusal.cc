#include "aggregator/http/guard/refusal.h"

#include <cstdio>

namespace kleptometrics::aggregator::http::guard {
namespace {

struct Title {
  int status;
  std::string_view text;
};

constexpr Title kTitles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      out += escape;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string_view status_title(int status) {
  for (const Title& title : kTitles) {
    if (title.status == status) return title.text;
  }
  return "Error";
}

std::string problem_body(int status, std::string_view detail) {
  std::string body = R"({"type":"about:blank","title":")";
  body += status_title(status);
  body += R"(","status":)" + std::to_string(status) + R"(,"detail":")" + json_escaped(detail) + "\"}";
  return body;
}

std::string refusal_bytes(const Refusal& refusal) {
  const std::string body = problem_body(refusal.status, refusal.detail);
  std::string out = "HTTP/1.1 " + std::to_string(refusal.status) + " ";
  out += status_title(refusal.status);
  const auto header = [&out](std::string_view name, std::string_view value) {
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  };
  header("Connection", "close");
  header("Content-Type", kProblemType);
  header("Content-Length", std::to_string(body.size()));
  if (refusal.status == 503) header("Retry-After", "1");
  if (!refusal.challenge.empty()) header("WWW-Authenticate", refusal.challenge);
  for (const auto& [name, value] : kStandingHeaders) header(name, value);
  return out + "\r\n\r\n" + body;
}

}  // namespace kleptometrics::aggregator::http::guard
