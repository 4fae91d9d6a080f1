// Writes runs into messages that intern their strings: pushes, stored runs, pages of answers. Internal to this room:
// the one header of it that knows generated code. One thread at a time; borrows what it is given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "aggregator/model/run.h"
#include "kleptometrics/v1/run.pb.h"

namespace kleptometrics::aggregator::wire {

// The strings of one message, each once, in order of first use behind the empty one, which it adds.
class Interner {
 public:
  using Strings = google::protobuf::RepeatedPtrField<std::string>;
  explicit Interner(Strings& strings) : strings_(strings), bytes_(kFramingMax) { strings_.Add(); }
  std::uint32_t index(std::string_view text);
  std::size_t bytes() const { return bytes_; }  // what they take in their message, at most

 private:
  static constexpr std::size_t kFramingMax = 6;  // tag and length

  Strings& strings_;
  std::size_t bytes_;
  std::unordered_map<std::string_view, std::uint32_t> indices_;  // keys point into strings_, whose elements stay put
};

// Writes one run. Strings get their index when first used, so the order of the calls is part of the canonical form:
// fields in order of their numbers.
class RunEncoder {
 public:
  RunEncoder(Interner& strings, v1::Run& out) : strings_(strings), out_(out) {}

  // The run as it is stored: its snapshot, and `added` between the fields where it has its number.
  void write(const Run& run, const Annotations& added);
  // Annotations alone.
  void write(const Annotations& added);
  // What a chunk has no column for (chunk.proto): parent, attempt, progress, exit code, failure, labels, steps, what
  // was dropped and the annotations. Nothing at all of a plain run.
  void write_rest(const Run& run);
  // The run as readers see it: what was added is laid over the snapshot and gone as such.
  void write_seen(const Run& run, bool with_steps);

 private:
  void write_label(v1::Label& label, std::string_view key, std::string_view value);
  void write_identity(const Run& run);
  void write_times(const Run& run);
  void write_outcome(const Run& run, const std::optional<Failure>& failure);
  void write_labels(const Labels& labels);
  void write_counters(const Run& run);
  void write_step(const Step& step);
  void write_steps(const Run& run);
  void write_resources(const Resources& used);
  void write_program(const Run& run);
  void write_process(const Run& run);

  Interner& strings_;
  v1::Run& out_;
};

}  // namespace kleptometrics::aggregator::wire
