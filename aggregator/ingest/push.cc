#include "aggregator/ingest/push.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace kleptometrics::aggregator {
namespace {

std::uint32_t wire_index(std::size_t index) { return static_cast<std::uint32_t>(index); }

void count_outcome(Outcome outcome, std::size_t index, BatchResult& result) {
  switch (outcome.kind) {
    case Outcome::Kind::kAccepted:
      ++result.accepted;
      return;
    case Outcome::Kind::kDuplicate:
      ++result.duplicates;
      return;
    case Outcome::Kind::kRejected:
    case Outcome::Kind::kDeferred:
      result.rejected.push_back({wire_index(index), std::move(outcome.field), std::move(outcome.detail),
                                 outcome.kind == Outcome::Kind::kDeferred});
      return;
  }
}

// What of a batch is to be submitted, and what is refused already.
struct Batch {
  std::vector<Command> commands;
  std::vector<std::size_t> indexes;  // of the commands, in the batch
  BatchResult result;

  explicit Batch(std::size_t size) {
    commands.reserve(size);
    indexes.reserve(size);
  }
  void add(Command&& command, std::size_t index) {
    commands.push_back(std::move(command));
    indexes.push_back(index);
  }
  void refuse(FieldError&& error, std::size_t index) {
    result.rejected.push_back({wire_index(index), std::move(error.field), std::move(error.detail), false});
  }
};

absl::StatusOr<BatchResult> submit(Committer& committer, Batch batch) {
  BatchResult& result = batch.result;
  committer.note_rejected(result.rejected.size());
  if (batch.commands.empty()) return std::move(result);
  auto outcomes = committer.submit(std::move(batch.commands));
  if (!outcomes.ok()) return outcomes.status();
  for (std::size_t i = 0; i < outcomes->size(); ++i) {
    count_outcome(std::move((*outcomes)[i]), batch.indexes[i], result);
  }
  std::sort(result.rejected.begin(), result.rejected.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return std::move(result);
}

}  // namespace

absl::StatusOr<BatchResult> submit_batch(Committer& committer, std::vector<Item> items) {
  Batch batch(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto* error = std::get_if<FieldError>(&items[i])) {
      batch.refuse(std::move(*error), i);
    } else {
      batch.add(std::get<Command>(std::move(items[i])), i);
    }
  }
  return submit(committer, std::move(batch));
}

absl::StatusOr<wire::PushResult> push(Committer& committer, std::string_view protobuf_body) {
  auto decoded = wire::decode_push(protobuf_body);
  if (!decoded.ok()) return decoded.status();
  Batch batch(decoded->size());
  for (std::size_t i = 0; i < decoded->size(); ++i) {
    if (auto* error = std::get_if<FieldError>(&(*decoded)[i])) {
      batch.refuse(std::move(*error), i);
    } else {
      batch.add(ApplySnapshot{std::get<Run>(std::move((*decoded)[i]))}, i);
    }
  }
  return submit(committer, std::move(batch));
}

}  // namespace kleptometrics::aggregator
