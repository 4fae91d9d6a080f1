#include "aggregator/http/guard/policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "aggregator/http/guard/target.h"
#include "aggregator/http/guard/text.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

using Verdict = std::optional<Refusal>;

struct Case {
  const Head& head;
  const Policy& policy;
  const GuardLimits& limits;
  Admission& out;
};

constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kBodyTypes[] = {"application/json", "application/x-ndjson", "application/x-protobuf"};
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

bool needs_length(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }
bool mutates(std::string_view method) { return needs_length(method) || method == "DELETE"; }

Verdict check_method(Case c) {
  if (std::find(std::begin(kMethods), std::end(kMethods), c.head.method) == std::end(kMethods)) {
    return Refusal{501, "this method is not served here"};
  }
  c.out.request.method = c.head.method == "HEAD" ? "GET" : c.head.method;
  return {};
}

Verdict check_target(Case c) {
  auto target = parse_target(c.head.target);
  if (!target) return Refusal{400, "the request target must be a path that begins with '/', correctly percent-encoded"};
  c.out.request.path = std::move(target->path);
  c.out.request.query = std::move(target->query);
  return {};
}

Verdict check_transfer(Case c) {
  if (c.head.count("transfer-encoding") != 0) {
    return Refusal{501, "Transfer-Encoding is not served here; send the body with a Content-Length"};
  }
  for (const HeaderField& field : c.head.fields) {
    if (field.name == "content-encoding" && !equals_ignoring_case(field.value, "identity")) {
      return Refusal{415, "compressed bodies are not taken here; send without Content-Encoding"};
    }
  }
  return {};
}

Verdict check_length(Case c) {
  const std::string* text = c.head.find("content-length");
  if (text == nullptr) {
    if (!needs_length(c.head.method)) return {};
    return Refusal{411, "this method needs a Content-Length"};
  }
  if (c.head.count("content-length") != 1 || text->empty() || !std::all_of(text->begin(), text->end(), is_digit)) {
    return Refusal{400, "Content-Length must be given once, as digits"};
  }
  std::size_t bytes = 0;
  for (const char digit : *text) {
    bytes = bytes * 10 + static_cast<std::size_t>(digit - '0');
    if (bytes > c.limits.body_bytes_max) {
      return Refusal{413,
                     "the body is larger than " + std::to_string(c.limits.body_bytes_max) + " bytes; send it in parts"};
    }
  }
  c.out.body_bytes = bytes;
  return {};
}

// A Host value without its port; nothing where it is none.
std::optional<std::string> host_name(std::string_view host) {
  std::size_t end = host.find(':');
  if (host.substr(0, 1) == "[") {
    end = host.find(']');
    if (end == host.npos) return std::nullopt;
    ++end;
  }
  end = std::min(end, host.size());
  const std::string_view port = host.substr(end);
  const bool port_ok =
      port.empty() || (port.front() == ':' && port.size() <= 6 && std::all_of(port.begin() + 1, port.end(), is_digit));
  if (!port_ok) return std::nullopt;
  return lower(host.substr(0, end));
}

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  if (name.substr(0, 1) != "[") return ::inet_pton(AF_INET, name.c_str(), bytes) == 1;
  return ::inet_pton(AF_INET6, name.substr(1, name.size() - 2).c_str(), bytes) == 1;
}

bool stands_for(std::string_view pattern, std::string_view name) {
  if (pattern.substr(0, 2) != "*.") return pattern == name;
  const std::size_t dot = name.find('.');
  return dot != name.npos && dot > 0 && name.substr(dot) == pattern.substr(1);
}

bool is_served(const std::string& name, const Policy& policy) {
  return std::any_of(policy.hosts.begin(), policy.hosts.end(),
                     [&](const std::string& pattern) { return stands_for(pattern, name); }) ||
         (policy.any_address && is_address(name));
}

Verdict check_host(Case c) {
  const std::size_t count = c.head.count("host");
  if (count > 1 || (count == 0 && c.head.minor_version == 1)) return Refusal{400, "Host must be given once"};
  if (count == 0 || c.policy.hosts.empty()) return {};
  const auto name = host_name(*c.head.find("host"));
  if (name && is_served(*name, c.policy)) return {};
  return Refusal{421, c.policy.tls ? "this Host is not served here; address the aggregator by a name of its certificate"
                                   : "this Host is not served here; address the aggregator as localhost"};
}

Verdict check_origin(Case c) {
  const std::string* origin = c.head.find("origin");
  if (origin == nullptr) return {};
  const std::string* host = c.head.find("host");
  const std::string own = host == nullptr ? std::string() : (c.policy.tls ? "https://" : "http://") + *host;
  if (c.head.count("origin") == 1 && !own.empty() && equals_ignoring_case(*origin, own)) return {};
  return Refusal{403, "requests from pages of another origin are not served"};
}

Verdict check_key(Case c) {
  if (!c.policy.authorize) return {};
  if (c.head.count("authorization") > 1) return Refusal{400, "Authorization must be given once"};
  const std::string* field = c.head.find("authorization");
  const std::optional<std::string_view> value =
      field == nullptr ? std::nullopt : std::optional<std::string_view>(*field);
  std::optional<Denial> denial = c.policy.authorize(c.out.request, value);
  if (!denial) return {};
  return Refusal{denial->status, std::move(denial->detail), std::move(denial->challenge)};
}

Verdict check_expect(Case c) {
  const std::string* expect = c.head.find("expect");
  if (expect == nullptr || c.head.minor_version == 0) return {};
  if (c.head.count("expect") != 1 || !equals_ignoring_case(*expect, "100-continue")) {
    return Refusal{417, "the only expectation served here is 100-continue"};
  }
  c.out.expects_continue = true;
  return {};
}

Verdict check_type(Case c) {
  const std::string* type = c.head.find("content-type");
  if (c.head.count("content-type") > 1) return Refusal{400, "Content-Type must be given once"};
  if (type != nullptr) c.out.request.content_type = lower(trimmed(std::string_view(*type).substr(0, type->find(';'))));
  if (c.out.body_bytes == 0 || !mutates(c.head.method)) return {};
  const std::string& media = c.out.request.content_type;
  if (std::find(std::begin(kBodyTypes), std::end(kBodyTypes), media) != std::end(kBodyTypes)) return {};
  if (media == kFormType)
    return Refusal{415, "the body is declared as a form; with curl, add -H 'Content-Type: application/json'"};
  return Refusal{415, "Content-Type must be application/json, application/x-ndjson or application/x-protobuf"};
}

Verdict note_wishes(Case c) {
  bool close = false;
  bool stay = false;
  for (const HeaderField& field : c.head.fields) {
    if (field.name == "accept") {
      c.out.request.accept += (c.out.request.accept.empty() ? "" : ", ") + lower(field.value);
    } else if (field.name == "connection") {
      for_each_element(field.value, [&](std::string_view option) {
        close = close || equals_ignoring_case(option, "close");
        stay = stay || equals_ignoring_case(option, "keep-alive");
      });
    }
  }
  c.out.keep_alive = !close && (stay || c.head.minor_version == 1);
  return {};
}

// Framing first: whatever else is wrong with a request, where it ends must never be in doubt. What only a friend needs
// to know comes after the key.
constexpr Verdict (*kChecks[])(Case) = {check_transfer, check_length, check_host,   check_origin, check_method,
                                        check_target,   check_key,    check_expect, check_type,   note_wishes};

}  // namespace

std::variant<Admission, Refusal> admit(const Head& head, const Policy& policy, const GuardLimits& limits) {
  Admission admission;
  for (const auto check : kChecks) {
    if (Verdict refusal = check({head, policy, limits, admission})) return *std::move(refusal);
  }
  return admission;
}

}  // namespace kleptometrics::aggregator::http::guard
