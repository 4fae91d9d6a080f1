#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/ingest/push.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator::http {
namespace {

Response too_many() {
  return problem(413, "more than " + std::to_string(limits::batch_runs_max) + " runs in one request");
}

Item item_of(Parsed<ReportRun> parsed) {
  if (auto* error = std::get_if<FieldError>(&parsed)) return std::move(*error);
  return Command(std::get<ReportRun>(std::move(parsed)));
}

bool read_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Number of runs in a PushRequest, without decoding them: occurrences of its field 2. Stops at the first
// field that is not length-delimited, as none of the message is: whoever decodes it deals with that.
std::size_t count_runs(std::string_view bytes) {
  constexpr std::uint64_t kRunsTag = (2U << 3U) | 2U;
  constexpr std::uint64_t kWireTypeMask = 7;
  constexpr std::uint64_t kLengthDelimited = 2;
  std::size_t runs = 0;
  std::uint64_t tag = 0;
  std::uint64_t size = 0;
  while (read_varint(bytes, tag) && (tag & kWireTypeMask) == kLengthDelimited && read_varint(bytes, size) &&
         size <= bytes.size()) {
    if (tag == kRunsTag) ++runs;
    bytes.remove_prefix(size);
  }
  return runs;
}

Response push_protobuf(const Request& request, Committer& committer, const Heard& heard) {
  if (count_runs(request.body) > limits::batch_runs_max) return too_many();
  const auto listen = [&](const std::vector<Command>& commands) {
    if (heard) heard(commands, request.peer);
  };
  const auto result = push(committer, request.body, listen);
  if (!result.ok()) return problem(result.status());
  Response response;
  response.content_type = kProtobuf;
  response.body = wire::encode_result(*result);
  return response;
}

Response push_json(const Request& request, Committer& committer) {
  auto parsed = parse_runs(request.body);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return problem(*error);
  auto& runs = std::get<std::vector<Parsed<ReportRun>>>(parsed);
  if (runs.size() > limits::batch_runs_max) return too_many();
  std::vector<Item> items;
  items.reserve(runs.size());
  for (auto& run : runs) items.push_back(item_of(std::move(run)));
  const auto result = submit_batch(committer, std::move(items));
  if (!result.ok()) return problem(result.status());
  Response response;
  response.body = batch_json(*result);
  return response;
}

struct Line {
  std::uint32_t index;  // in the body, from 0
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view body) {
  std::vector<Line> lines;
  for (std::uint32_t index = 0; !body.empty(); ++index) {
    const std::string_view text = body.substr(0, body.find('\n'));
    body.remove_prefix(text.size() < body.size() ? text.size() + 1 : text.size());
    if (text.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back({index, text});
  }
  return lines;
}

Response push_ndjson(const Request& request, Committer& committer) {
  const std::vector<Line> lines = lines_of(request.body);
  if (lines.size() > limits::batch_runs_max) return too_many();
  std::vector<Item> items;
  items.reserve(lines.size());
  for (const Line& line : lines) items.push_back(item_of(parse_run(line.text)));
  auto result = submit_batch(committer, std::move(items));
  if (!result.ok()) return problem(result.status());
  for (auto& rejection : result->rejected) rejection.index = lines[rejection.index].index;
  Response response;
  response.body = batch_json(*result);
  return response;
}

}  // namespace

Response push_runs(const Request& request, Committer& committer, const Heard& heard) {
  if (auto refused = refuse_content(request, {kProtobuf, kJson, kNdjson})) return *std::move(refused);
  if (request.content_type == kProtobuf) return push_protobuf(request, committer, heard);
  if (request.content_type == kNdjson) return push_ndjson(request, committer);
  return push_json(request, committer);
}

}  // namespace kleptometrics::aggregator::http
