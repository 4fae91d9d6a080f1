// Sends a stream of runs to an aggregator over HTTP, on several connections at once, and keeps time. One thread writes
// requests ahead into a bounded queue; each connection has a thread that takes the next, sends it and waits for its
// answer. A batch that was not acknowledged, because the aggregator was busy or died, is sent again until it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "lib/http/endpoint.h"
#include "tests/bench/encode.h"
#include "tests/bench/stream.h"

namespace kleptometrics::bench {

struct LoadOptions {
  http::Endpoint endpoint;
  unsigned connections = 4;
  std::size_t batch = 1'000;  // turns of the stream a request
  EncodeOptions encode;
  double seconds_max = 0;          // then no new request is sent; 0: until the stream ends
  std::uint64_t mark_every = 0;    // accepted runs between two marks; 0: no marks
  double unanswered_seconds = 60;  // a batch that has been sent in vain for so long ends the load
};

struct LoadResult {
  std::uint64_t accepted = 0, duplicates = 0;
  std::uint64_t requests = 0, body_bytes = 0;
  std::uint64_t retries = 0;  // batches sent again
  double seconds = 0;         // from the first request to the last answer
  double cpu_seconds = 0;     // that the load took of the machine for itself meanwhile
  std::vector<double> marks;  // seconds at which each `mark_every` runs were accepted
  std::string error;          // empty: every run that was sent is acknowledged

  double rate() const { return seconds > 0 ? static_cast<double>(accepted) / seconds : 0; }
};

class RequestQueue;

class Load {
 public:
  Load(const History& history, const LoadOptions& options) : history_(history), options_(options) {}

  // Sends all of the stream. Once.
  LoadResult run(Stream& stream);
  // Runs acknowledged as new so far; any thread.
  std::uint64_t accepted() const { return accepted_.load(std::memory_order_relaxed); }

 private:
  void write_requests(Stream& stream, RequestQueue& queue);
  void serve(RequestQueue& queue);
  bool out_of_time() const;
  void note_answer(std::size_t request_bytes, std::uint64_t accepted, std::uint64_t duplicates);
  void note_error(const std::string& error, RequestQueue& queue);

  const History& history_;
  const LoadOptions options_;
  Nanos begin_ = 0;
  std::atomic<std::uint64_t> accepted_{0}, retries_{0};
  std::mutex mutex_;
  LoadResult result_;  // under mutex_
};

}  // namespace kleptometrics::bench
