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

}  // namespace

absl::StatusOr<BatchResult> submit_batch(Committer& committer, std::vector<Item> items) {
  BatchResult result;
  std::vector<Command> commands;
  std::vector<std::size_t> indexes;  // of the commands, in the batch
  commands.reserve(items.size());
  indexes.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto* error = std::get_if<FieldError>(&items[i])) {
      result.rejected.push_back({wire_index(i), std::move(error->field), std::move(error->detail), false});
    } else {
      commands.push_back(std::get<Command>(std::move(items[i])));
      indexes.push_back(i);
    }
  }
  committer.note_rejected(result.rejected.size());
  if (commands.empty()) return result;
  auto outcomes = committer.submit(std::move(commands));
  if (!outcomes.ok()) return outcomes.status();
  for (std::size_t i = 0; i < outcomes->size(); ++i) {
    count_outcome(std::move((*outcomes)[i]), indexes[i], result);
  }
  std::sort(result.rejected.begin(), result.rejected.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return result;
}

absl::StatusOr<wire::PushResult> push(Committer& committer, std::string_view protobuf_body) {
  auto decoded = wire::decode_push(protobuf_body);
  if (!decoded.ok()) return decoded.status();
  std::vector<Item> items;
  items.reserve(decoded->size());
  for (wire::Decoded& one : *decoded) {
    if (auto* error = std::get_if<FieldError>(&one)) {
      items.emplace_back(std::move(*error));
    } else {
      items.emplace_back(Command(ApplySnapshot{std::get<Run>(std::move(one))}));
    }
  }
  return submit_batch(committer, std::move(items));
}

}  // namespace kleptometrics::aggregator
