#include "tests/bench/load.h"

#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "kleptometrics/v1/run.pb.h"
#include "lib/http/connection.h"

namespace kleptometrics::bench {
namespace {

constexpr std::size_t kQueueRuns = 64'000;  // written ahead, about five megabytes
constexpr std::size_t kAnswerBytesMax = 4U << 20U;
constexpr auto kPause = std::chrono::milliseconds(5);  // before a batch is sent again

double seconds_since(Nanos begin) {
  return static_cast<double>(system_steady() - begin) / static_cast<double>(kNanosPerSecond);
}

// Of this process, of all its threads.
double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// What an answer of 200 says. False: a run was rejected, or it cannot be read; `error` says which.
struct Verdict {
  std::uint64_t accepted = 0, duplicates = 0;
  std::string error;
};

Verdict read_protobuf(const std::string& body) {
  v1::PushResponse answer;
  if (!answer.ParseFromString(body)) return {0, 0, "the answer is no PushResponse"};
  Verdict verdict{answer.accepted(), answer.duplicates(), ""};
  if (answer.rejected_size() > 0) verdict.error = "a run was rejected: " + answer.rejected(0).detail();
  return verdict;
}

Verdict read_json(const std::string& body) {
  const auto answer = nlohmann::json::parse(body, nullptr, false);
  if (answer.is_discarded()) return {0, 0, "the answer is no JSON"};
  Verdict verdict{answer.at("accepted"), answer.at("duplicates"), ""};
  if (!answer.at("rejected").empty()) verdict.error = "a run was rejected: " + answer.at("rejected").at(0).dump();
  return verdict;
}

}  // namespace

// Bounded; filled anew only when half empty, so that neither side wakes the other for every request.
class RequestQueue {
 public:
  explicit RequestQueue(std::size_t most) : most_(most) {}

  // False: nobody wants more.
  bool push(std::string request) {
    std::unique_lock lock(mutex_);
    if (waiting_.size() >= most_) {
      full_ = true;
      may_take_.notify_all();
      may_push_.wait(lock, [this] { return closed_ || waiting_.size() <= most_ / 2; });
    }
    if (closed_) return false;
    waiting_.push_back(std::move(request));
    if (takers_ > 0) may_take_.notify_one();
    return true;
  }
  // Nothing comes any more; what waits may still be taken.
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = full_ = true;
    may_take_.notify_all();
  }
  // Nothing is taken any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    may_push_.notify_all();
    may_take_.notify_all();
  }
  // False: there is none.
  bool take(std::string& request) {
    std::unique_lock lock(mutex_);
    ++takers_;
    may_take_.wait(lock, [this] { return closed_ || finished_ || !waiting_.empty(); });
    --takers_;
    if (closed_ || waiting_.empty()) return false;
    request = std::move(waiting_.front());
    waiting_.pop_front();
    if (waiting_.size() <= most_ / 2) may_push_.notify_one();
    return true;
  }
  void await_full() {
    std::unique_lock lock(mutex_);
    may_take_.wait(lock, [this] { return full_; });
  }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable may_push_, may_take_;
  std::deque<std::string> waiting_;
  int takers_ = 0;
  bool full_ = false, finished_ = false, closed_ = false;
};

namespace {

// One connection, opened anew whenever it is closed. Counts tries, gives up after a while.
class Sender {
 public:
  Sender(const LoadOptions& options, std::atomic<std::uint64_t>& retries)
      : options_(options), retries_(retries), connection_(options.endpoint) {}

  Verdict send(const std::string& request) {
    const Nanos begin = system_steady();
    std::string error;
    http::Response response;
    for (bool again = false;; again = true) {
      if (again) retries_.fetch_add(1, std::memory_order_relaxed);
      const bool answered = exchange(request, response, error);
      if (answered && response.status == 200)
        return options_.encode.form == Form::kProtobuf ? read_protobuf(response.body) : read_json(response.body);
      if (answered) error = std::to_string(response.status) + " " + response.body;
      if (answered && response.status != 503) break;
      if (seconds_since(begin) > options_.unanswered_seconds) break;
      std::this_thread::sleep_for(kPause);
    }
    return {0, 0, "a batch was not taken: " + error};
  }

 private:
  bool exchange(const std::string& request, http::Response& response, std::string& error) {
    response = {};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    if (!connection_.is_open() && !connection_.open(std::chrono::seconds(5), deadline, &error)) return false;
    return connection_.exchange(request, deadline, kAnswerBytesMax, &response, &error);
  }

  const LoadOptions& options_;
  std::atomic<std::uint64_t>& retries_;
  http::Connection connection_;
};

}  // namespace

bool Load::out_of_time() const { return options_.seconds_max > 0 && seconds_since(begin_) >= options_.seconds_max; }

void Load::note_answer(std::size_t request_bytes, std::uint64_t accepted, std::uint64_t duplicates) {
  const std::lock_guard lock(mutex_);
  const double now = seconds_since(begin_);
  result_.accepted += accepted;
  result_.duplicates += duplicates;
  result_.requests += 1;
  result_.body_bytes += request_bytes;
  result_.seconds = now;
  while (options_.mark_every != 0 && result_.accepted >= (result_.marks.size() + 1) * options_.mark_every)
    result_.marks.push_back(now);
  accepted_.store(result_.accepted, std::memory_order_relaxed);
}

void Load::note_error(const std::string& error, RequestQueue& queue) {
  {
    const std::lock_guard lock(mutex_);
    if (result_.error.empty()) result_.error = error;
  }
  queue.close();
}

void Load::write_requests(Stream& stream, RequestQueue& queue) {
  Encoder encoder(history_, options_.encode);
  std::vector<Sample> batch;
  while (stream.next(options_.batch, batch))
    if (!queue.push(encoder.request(batch))) return;
  queue.finish();
}

void Load::serve(RequestQueue& queue) {
  Sender sender(options_, retries_);
  std::string request;
  while (!out_of_time() && queue.take(request)) {
    const Verdict verdict = sender.send(request);
    if (!verdict.error.empty()) return note_error(verdict.error, queue);
    note_answer(request.size() - request.find("\r\n\r\n") - 4, verdict.accepted, verdict.duplicates);
  }
}

LoadResult Load::run(Stream& stream) {
  RequestQueue queue(std::max<std::size_t>(2 * options_.connections, kQueueRuns / options_.batch));
  std::thread writer([&] { write_requests(stream, queue); });
  queue.await_full();
  const double cpu_before = cpu_seconds();
  begin_ = system_steady();
  std::vector<std::thread> connections;
  for (unsigned i = 0; i < options_.connections; ++i) connections.emplace_back([&] { serve(queue); });
  for (std::thread& connection : connections) connection.join();
  queue.close();
  writer.join();
  result_.retries = retries_;
  result_.cpu_seconds = cpu_seconds() - cpu_before;
  return result_;
}

}  // namespace kleptometrics::bench
