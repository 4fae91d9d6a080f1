// Which forms of a body a request brings and wants. Changing calls need a media type that an HTML form cannot
// send: that, beside the guard's look at `Origin`, keeps other people's web pages from reporting runs.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kNdjson = "application/x-ndjson";
inline constexpr std::string_view kProtobuf = "application/x-protobuf";

// True if `Accept` names the type itself; wildcards and weights are not looked at.
bool asks_for(const Request& request, std::string_view type);

// 200 with the answer in the form that the request asks for: a message of query.proto where `Accept` names protobuf,
// else JSON. Only that one is made.
template <typename Json, typename Message>
Response answer(const Request& request, Json json, Message message) {
  Response response;
  if (asks_for(request, kProtobuf)) {
    response.content_type = kProtobuf;
    response.body = message();
  } else {
    response.body = json();
  }
  return response;
}

// 415 unless the body is of one of the types. An empty body may come without a type.
std::optional<Response> refuse_content(const Request& request, std::initializer_list<std::string_view> types);

}  // namespace kleptometrics::aggregator::http
