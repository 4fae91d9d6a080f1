#include "aggregator/store/postgres/log_rows.h"

#include "absl/container/flat_hash_set.h"
#include "aggregator/wire/chunk.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr std::size_t kIdBytes = 16;

absl::flat_hash_set<std::string_view> ids_in(std::string_view replaced) {
  absl::flat_hash_set<std::string_view> ids;
  for (; replaced.size() >= kIdBytes; replaced.remove_prefix(kIdBytes)) ids.insert(replaced.substr(0, kIdBytes));
  return ids;
}

absl::Status each(std::string_view chunk, absl::FunctionRef<bool(const wire::ChunkReader&, std::size_t)> wanted,
                  absl::FunctionRef<void(Run&&)> visit) {
  if (chunk.empty()) return absl::OkStatus();  // of a put_job()
  const absl::StatusOr<wire::ChunkReader> in = wire::ChunkReader::open(chunk);
  if (!in.ok()) return in.status();
  for (std::size_t at = 0; at < in->size(); ++at) {
    if (!wanted(*in, at)) continue;
    absl::StatusOr<Run> run = in->run(at);
    if (!run.ok()) return run.status();
    visit(*std::move(run));
  }
  return absl::OkStatus();
}

}  // namespace

std::string encode_log(const std::vector<const Run*>& runs, Nanos now) {
  std::vector<wire::Chunked> chunked;
  chunked.reserve(runs.size());
  for (const Run* run : runs) chunked.push_back({run, static_cast<std::uint32_t>(chunked.size()), false, now});
  return wire::encode_chunk(chunked, {});
}

absl::Status each_run(std::string_view chunk, absl::FunctionRef<void(Run&&)> visit) {
  return each(
      chunk, [](const wire::ChunkReader&, std::size_t) { return true; }, visit);
}

absl::Status each_ended(std::string_view chunk, std::string_view replaced,
                        absl::FunctionRef<bool(const std::string& job, Nanos started_at)> wanted,
                        absl::FunctionRef<void(Run&&)> visit) {
  const absl::flat_hash_set<std::string_view> ids = ids_in(replaced);
  const auto take = [&](const wire::ChunkReader& in, std::size_t at) {
    if (!terminal(in.state(at)) || !wanted(in.job(at), in.started_at(at))) return false;
    const Uuid id = in.id(at);
    return !ids.contains(id.view());
  };
  return each(chunk, take, visit);
}

}  // namespace kleptometrics::aggregator::postgres
