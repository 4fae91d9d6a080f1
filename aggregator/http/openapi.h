// The OpenAPI 3.1 document of the API (proto/kleptometrics/v1/openapi.json), part of the program. A test holds it to
// what is answered. Any thread.
#pragma once

#include <string_view>

namespace kleptometrics::aggregator::http {

std::string_view openapi();  // JSON

}  // namespace kleptometrics::aggregator::http
