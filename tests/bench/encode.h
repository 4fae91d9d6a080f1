// Writes runs as they travel: a whole HTTP request that pushes a batch. By hand, because what the load costs its own
// side is taken from the aggregator on the same machine; a test reads it back by the generated code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/history.h"

namespace kleptometrics::bench {

enum class Form { kProtobuf, kNdjson };

struct EncodeOptions {
  Form form = Form::kProtobuf;
  // Also scheduled_at, CPU time, peak memory and two counters; else id, job, state, revision, times, duration and host.
  bool measures = false;
};

// One thread at a time; borrows the history.
class Encoder {
 public:
  Encoder(const History& history, const EncodeOptions& options);

  // A PushRequest, or a line a run.
  std::string body(const std::vector<Sample>& batch);
  // The body with the head of a POST before it.
  std::string request(const std::vector<Sample>& batch);

 private:
  // Places of strings in the PushRequest that is being written.
  struct Places {
    std::vector<std::uint64_t> batch;  // in which the place was given
    std::vector<std::uint32_t> place;
  };
  std::uint32_t intern(Places& places, std::uint32_t number, const std::string& text);
  std::uint32_t add_string(const std::string& text);
  void protobuf_run(const Sample& run);
  char* protobuf_measures(char* out, const Sample& run) const;
  void json_run(const Sample& run);

  const History& history_;
  const EncodeOptions options_;
  Places jobs_, hosts_;
  std::uint64_t batch_ = 0;
  std::uint32_t strings_count_ = 0, rows_place_ = 0, bytes_place_ = 0;
  std::string strings_, runs_;
};

}  // namespace kleptometrics::bench
