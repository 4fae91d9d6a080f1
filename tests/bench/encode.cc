#include "tests/bench/encode.h"

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "lib/base/instant.h"

namespace kleptometrics::bench {
namespace {

constexpr std::size_t kRunBytesMax = 256;

// Wire types and fields of run.proto. Tags of fields below 16 take one byte.
constexpr unsigned kVarint = 0, kFixed64 = 1, kDelimited = 2;
constexpr unsigned tag(unsigned field, unsigned type) { return field << 3U | type; }

char* varint(char* out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) *out++ = static_cast<char>(value | 0x80U);
  *out++ = static_cast<char>(value);
  return out;
}

char* field(char* out, unsigned number, std::uint64_t value) {
  return varint(varint(out, tag(number, kVarint)), value);
}
char* field(char* out, unsigned number, Nanos value) { return field(out, number, static_cast<std::uint64_t>(value)); }

char* field(char* out, unsigned number, std::string_view bytes) {
  out = varint(varint(out, tag(number, kDelimited)), bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

char* counter(char* out, std::uint32_t name, double value) {
  char inside[24];
  char* end = field(inside, 1, std::uint64_t{name});
  end = varint(end, tag(2, kFixed64));
  std::memcpy(end, &value, sizeof value);
  end += sizeof value;
  return field(out, 17, std::string_view(inside, static_cast<std::size_t>(end - inside)));
}

}  // namespace

Encoder::Encoder(const History& history, const EncodeOptions& options) : history_(history), options_(options) {
  const HistoryOptions& sizes = history.options();
  jobs_ = {std::vector<std::uint64_t>(sizes.jobs), std::vector<std::uint32_t>(sizes.jobs)};
  hosts_ = {std::vector<std::uint64_t>(sizes.hosts), std::vector<std::uint32_t>(sizes.hosts)};
}

std::uint32_t Encoder::add_string(const std::string& text) {
  char buffer[kRunBytesMax];
  strings_.append(buffer, static_cast<std::size_t>(field(buffer, 1, text) - buffer));
  return strings_count_++;
}

std::uint32_t Encoder::intern(Places& places, std::uint32_t number, const std::string& text) {
  if (places.batch[number] != batch_) {
    places.batch[number] = batch_;
    places.place[number] = add_string(text);
  }
  return places.place[number];
}

char* Encoder::protobuf_measures(char* out, const Sample& run) const {
  char inside[40];
  char* end = field(inside, 1, run.cpu_user);
  end = field(end, 2, run.cpu_system);
  end = field(end, 3, run.max_rss_bytes);
  out = counter(out, bytes_place_, run.bytes);  // sorted by name
  out = counter(out, rows_place_, run.rows);
  return field(out, 19, std::string_view(inside, static_cast<std::size_t>(end - inside)));
}

void Encoder::protobuf_run(const Sample& run) {
  constexpr std::uint64_t kSucceeded = 2, kFailed = 3;
  char inside[kRunBytesMax];
  char* end = field(inside, 1, run.id.view());
  end = field(end, 2, std::uint64_t{intern(jobs_, run.job, history_.job_name(run.job))});
  end = field(end, 3, run.failed ? kFailed : kSucceeded);
  end = field(end, 4, std::uint64_t{2});  // the first was sent when it started
  end = field(end, 9, run.started_at);
  if (options_.measures) end = field(end, 10, run.scheduled_at);
  end = field(end, 11, run.finished_at);
  end = field(end, 12, run.duration);
  if (options_.measures) end = protobuf_measures(end, run);
  end = field(end, 20, std::uint64_t{intern(hosts_, run.host, history_.host_name(run.host))});
  char whole[kRunBytesMax + 8];
  char* out = field(whole, 2, std::string_view(inside, static_cast<std::size_t>(end - inside)));
  runs_.append(whole, static_cast<std::size_t>(out - whole));
}

void Encoder::json_run(const Sample& run) {
  char text[640];
  int size = std::snprintf(
      text, sizeof text,
      R"({"id":"%s","job":"%s","state":"%s","revision":2,"started_at":"%s","finished_at":"%s","duration_seconds":%lld.%09lld,"host":"%s")",
      run.id.text().c_str(), history_.job_name(run.job).c_str(), run.failed ? "failed" : "succeeded",
      instant_text(run.started_at).c_str(), instant_text(run.finished_at).c_str(),
      static_cast<long long>(run.duration / kNanosPerSecond), static_cast<long long>(run.duration % kNanosPerSecond),
      history_.host_name(run.host).c_str());
  runs_.append(text, static_cast<std::size_t>(size));
  if (options_.measures) {
    const auto seconds = [](Nanos time) { return static_cast<double>(time) / static_cast<double>(kNanosPerSecond); };
    size = std::snprintf(
        text, sizeof text,
        R"(,"scheduled_at":"%s","counters":{"bytes":%.0f,"rows":%.0f},"resources":{"cpu_user_seconds":%.6f,"cpu_system_seconds":%.6f,"max_rss_bytes":%llu})",
        instant_text(run.scheduled_at).c_str(), run.bytes, run.rows, seconds(run.cpu_user), seconds(run.cpu_system),
        static_cast<unsigned long long>(run.max_rss_bytes));
    runs_.append(text, static_cast<std::size_t>(size));
  }
  runs_ += "}\n";
}

std::string Encoder::body(const std::vector<Sample>& batch) {
  ++batch_;
  strings_.clear();
  runs_.clear();
  if (options_.form == Form::kNdjson) {
    for (const Sample& run : batch) json_run(run);
    return runs_;
  }
  strings_count_ = 0;
  add_string("");
  if (options_.measures) {
    bytes_place_ = add_string("bytes");
    rows_place_ = add_string("rows");
  }
  for (const Sample& run : batch) protobuf_run(run);
  return strings_ + runs_;
}

std::string Encoder::request(const std::vector<Sample>& batch) {
  const std::string content = body(batch);
  std::string whole = "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: ";
  whole += options_.form == Form::kNdjson ? "application/x-ndjson" : "application/x-protobuf";
  whole += "\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n";
  return whole + content;
}

}  // namespace kleptometrics::bench
