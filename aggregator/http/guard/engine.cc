#include "aggregator/http/guard/engine.h"

#include <httplib.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <string_view>
#include <utility>

#include "aggregator/base/log.h"
#include "aggregator/http/guard/refusal.h"
#include "aggregator/http/guard/text.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

// A head in memory on the one side, the response's bytes on the other. Written for the library's versions
// from 0.11 on, whose sets of virtual functions differ: hence no `override`.
class MemoryStream final : public httplib::Stream {
 public:
  MemoryStream(std::string_view in, std::string& out) : in_(in), out_(out) {}

  bool is_readable() const { return true; }
  bool is_writable() const { return true; }
  bool wait_readable() const { return true; }
  bool wait_writable() const { return true; }

  ssize_t read(char* into, size_t size) {
    const std::size_t bytes = in_.copy(into, size);
    in_.remove_prefix(bytes);
    return static_cast<ssize_t>(bytes);
  }
  ssize_t write(const char* bytes, size_t size) {
    out_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  using httplib::Stream::write;

  // No socket: the library refuses numbers above FD_SETSIZE, and may ask a real one questions.
  socket_t socket() const { return INVALID_SOCKET; }
  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  time_t duration() const { return 0; }

 private:
  std::string_view in_;
  std::string& out_;
};

// What the library shall see of a head: enough to write the response. It percent-decodes header values,
// compresses by Accept-Encoding, cuts by Range and answers Expect itself, so none of these reach it.
std::string reduced_head(const Head& head, bool keep_alive) {
  std::string out = head.method + " ";
  const std::size_t question = head.target.find('?');
  for (std::size_t i = 0; i < head.target.size(); ++i) {
    if (head.target[i] == '?' && i != question) {
      out += "%3F";  // a second question mark is data, but not to the library
    } else {
      out += head.target[i];
    }
  }
  out += head.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  out += "Host: localhost\r\n";
  return out + (keep_alive ? "Connection: Keep-Alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

bool is_framing(std::string_view name) {
  constexpr std::string_view kNames[] = {"connection", "content-length", "transfer-encoding", "keep-alive",
                                         "content-type"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [name](std::string_view own) { return equals_ignoring_case(own, name); });
}

Response internal_error() {
  Response response;
  response.status = 500;
  response.content_type = kProblemType;
  response.body = problem_body(500, "the aggregator failed to answer this request; its log says more");
  return response;
}

Response run(const Handler& handler, const Request& request) {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    log_error(std::string("a request handler threw: ") + error.what());
  } catch (...) {
    log_error("a request handler threw something that is no std::exception");
  }
  return internal_error();
}

bool has_no_body(int status) { return status == 204 || status == 304; }

void fill(Response from, httplib::Response& to) {
  if (from.status < 200 || from.status > 599) from = internal_error();
  to.status = from.status;
  for (const auto& [name, value] : from.headers) {
    if (is_token(name) && !is_framing(name)) to.set_header(name, value);  // which drops values with line breaks
  }
  for (const auto& [name, value] : kStandingHeaders) {
    if (!to.has_header(std::string(name))) to.set_header(std::string(name), std::string(value));
  }
  if (has_no_body(from.status)) return;
  to.body = std::move(from.body);
  if (!from.content_type.empty()) to.set_header("Content-Type", from.content_type);
}

}  // namespace

class Engine::Library final : public httplib::Server {
 public:
  explicit Library(const guard::Handler& handler) : handler_(handler) {
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& response) {
      called_ = true;
      fill(run(handler_, *request_), response);
      return HandlerResponse::Handled;
    });
    // The library's own ideas of connection headers differ between versions; the guard decides.
    set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) { finish(response); });
  }

  Answer answer(const Head& head, const Request& request, bool keep_alive) {
    Answer answer;
    head_ = &head;
    request_ = &request;
    keep_alive_ = keep_alive;
    called_ = false;
    const std::string reduced = reduced_head(head, keep_alive);
    MemoryStream stream(reduced, answer.bytes);
    const bool written = process(stream, !keep_alive);
    answer.keep_alive = keep_alive && written;
    if (!called_ || !written) answer = {refusal_bytes({400, "the HTTP library does not take this request"}), false};
    return answer;
  }

 private:
  void finish(httplib::Response& response) {
    for (const char* name : {"Connection", "Keep-Alive", "Accept-Ranges"}) response.headers.erase(name);
    if (has_no_body(response.status)) response.headers.erase("Content-Length");
    if (!keep_alive_) {
      response.set_header("Connection", "close");
    } else if (head_->minor_version == 0) {
      response.set_header("Connection", "keep-alive");
    }
  }

  // By the form of process_request that this version of the library has.
  template <typename Stream>
  bool process(Stream& stream, bool close) {
    bool closed = false;
    const auto setup = [](httplib::Request& request) { request.ranges.clear(); };
    if constexpr (requires { this->process_request(stream, close, closed, setup); }) {
      return this->process_request(stream, close, closed, setup);
    } else {
      return this->process_request(stream, std::string(), 0, std::string(), 0, close, closed, setup);
    }
  }

  const guard::Handler& handler_;  // the library has a Handler of its own
  const Head* head_ = nullptr;
  const Request* request_ = nullptr;
  bool keep_alive_ = false;
  bool called_ = false;
};

Engine::Engine(const Handler& handler) : library_(std::make_unique<Library>(handler)) {}
Engine::~Engine() = default;

Engine::Answer Engine::answer(const Head& head, const Request& request, bool keep_alive) noexcept {
  try {
    return library_->answer(head, request, keep_alive);
  } catch (...) {  // out of memory
    return {};
  }
}

}  // namespace kleptometrics::aggregator::http::guard
