#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/openapi.h"

namespace kleptometrics::aggregator::http {

Response get_openapi() {
  Response response;
  response.body = openapi();
  return response;
}

}  // namespace kleptometrics::aggregator::http
