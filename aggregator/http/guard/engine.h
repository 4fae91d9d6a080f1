// The HTTP library's part of the front: given a request that the guard has read and approved, it runs the
// handler and writes the response's bytes. The library sits behind engine.cc and nowhere else; of it only the
// message layer is used, on memory: no sockets, no routes (std::regex), no reading of bodies.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aggregator/http/guard/head.h"
#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http::guard {

// Any thread, several at once.
using Handler = std::function<Response(const Request&)>;

// One thread at a time: every worker has its own.
class Engine {
 public:
  // Borrows the handler, which outlives it. Its first construction makes the process ignore SIGPIPE (the
  // library does).
  explicit Engine(const Handler& handler);
  ~Engine();

  struct Answer {
    std::string bytes;
    bool keep_alive = false;
  };
  // Never throws: a handler that does is answered with 500, which does not say what it threw. A handler's own
  // Connection, Content-Length, Transfer-Encoding and Keep-Alive headers are ignored.
  Answer answer(const Head& head, const Request& request, bool keep_alive) noexcept;

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

}  // namespace kleptometrics::aggregator::http::guard
