#include "aggregator/store/redis/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::redis {
namespace {

absl::Status wrong(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("store URL redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]: ", absl_view(what)));
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = digit_of(text[at + 1]);
    const int low = digit_of(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || fault != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

// Takes what stands before the first `mark` off the text; the mark goes, too. The whole text if there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  const std::string_view taken = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return taken;
}

// "[user]:password@" at the beginning. A single word before the @ is taken for a user without a password by other
// programs and for a password by some: refused.
absl::Status take_login(std::string_view& rest, Url& url) {
  const std::size_t end = rest.substr(0, rest.find('?')).rfind('@');
  if (end == std::string_view::npos) return absl::OkStatus();
  std::string_view login = rest.substr(0, end);
  rest = rest.substr(end + 1);
  const std::size_t colon = login.find(':');
  if (colon == std::string_view::npos) return wrong("before the @ stands USER:PASSWORD, or :PASSWORD");
  const auto user = decoded(login.substr(0, colon));
  const auto password = decoded(login.substr(colon + 1));
  if (!user || !password) return wrong("a % in user or password is not followed by two hexadecimal digits");
  if (password->empty()) return wrong("the password is empty");
  url.user = *user;
  url.password = *password;
  return absl::OkStatus();
}

absl::Status take_parameters(std::string_view text, Url& url) {
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    const std::string_view name = take_until(value, '=');
    const auto plain = decoded(value);
    if (name == "prefix" && plain && !plain->empty() && plain->size() <= kPrefixBytesMax &&
        plain->find_first_of("{}") == std::string::npos) {
      url.prefix = *plain;
    } else if (name == "db" && number_of(value, kDbMax)) {
      url.db = *number_of(value, kDbMax);
    } else if (name == "prefix") {
      return wrong("prefix has 1 to 100 bytes and no braces");
    } else {
      return wrong(absl::StrCat("unknown parameter ", quoted(name)));
    }
  }
  return absl::OkStatus();
}

// HOST[:PORT][/DB]
absl::Status take_address(std::string_view rest, Url& url) {
  std::string_view place = take_until(rest, '/');
  if (!rest.empty()) {
    const auto db = number_of(rest, kDbMax);
    if (!db) return wrong(absl::StrCat("the database is a number, found ", quoted(rest)));
    url.db = *db;
  }
  std::string_view port;
  if (place.starts_with('[')) {  // an address of IPv6
    const std::size_t end = place.find(']');
    if (end == std::string_view::npos) return wrong("a [ without its ]");
    url.host = place.substr(1, end - 1);
    port = place.substr(end + 1);
    if (!port.empty() && port.front() != ':') return wrong("what stands behind the ] is no port");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    url.host = take_until(place, ':');
    port = place;
  }
  if (url.host.empty()) return wrong("the host is missing");
  if (port.empty()) return absl::OkStatus();
  const auto number = number_of(port, 65535);
  if (!number || *number == 0) return wrong(absl::StrCat("the port is no number from 1 to 65535: ", quoted(port)));
  url.port = static_cast<std::uint16_t>(*number);
  return absl::OkStatus();
}

}  // namespace

std::string Url::shown() const {
  if (host.empty()) return absl::StrCat("redis+unix://", path, db == 0 ? "" : absl::StrCat("?db=", db));
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat(tls ? "rediss://" : "redis://", v6 ? "[" : "", host, v6 ? "]" : "", ":", port, "/", db);
}

absl::StatusOr<Url> parse_url(std::string_view text) {
  Url url;
  if (text.find('\0') != std::string_view::npos) return wrong("it contains a NUL");
  const auto takes = [&text](std::string_view scheme) {
    const bool found = text.starts_with(scheme);
    if (found) text.remove_prefix(scheme.size());
    return found;
  };
  const bool unix_socket = takes("redis+unix://");
  url.tls = !unix_socket && takes("rediss://");
  if (!unix_socket && !url.tls && !takes("redis://"))
    return wrong("it begins with none of redis://, rediss://, redis+unix://");
  if (absl::Status status = take_login(text, url); !status.ok()) return status;
  const std::string_view address = take_until(text, '?');
  if (absl::Status status = take_parameters(text, url); !status.ok()) return status;
  if (!unix_socket) {
    if (absl::Status status = take_address(address, url); !status.ok()) return status;
    return url;
  }
  const auto path = decoded(address);
  if (!path || !path->starts_with('/')) return wrong("redis+unix:// is followed by an absolute path");
  url.path = *path;
  return url;
}

}  // namespace kleptometrics::aggregator::redis
