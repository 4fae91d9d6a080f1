#include "aggregator/http/media_type.h"

#include <algorithm>
#include <string>

#include "aggregator/http/problem.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {

bool asks_for(const Request& request, std::string_view type) {
  std::string_view left = request.accept;
  while (!left.empty()) {
    std::string_view one = left.substr(0, left.find(','));
    left.remove_prefix(std::min(left.size(), one.size() + 1));
    one = one.substr(0, one.find(';'));
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    one = one.substr(0, one.find_last_not_of(" \t") + 1);
    if (one == type) return true;
  }
  return false;
}

std::optional<Response> refuse_content(const Request& request, std::initializer_list<std::string_view> types) {
  if (request.body.empty() && request.content_type.empty()) return std::nullopt;
  if (std::find(types.begin(), types.end(), request.content_type) != types.end()) return std::nullopt;
  std::string wanted;
  for (const std::string_view type : types) wanted += (wanted.empty() ? "" : " or ") + std::string(type);
  return problem(415, "the body must be " + wanted + ", got Content-Type " + aggregator::quoted(request.content_type));
}

}  // namespace kleptometrics::aggregator::http
