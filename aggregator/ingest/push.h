// Many runs at once through the one door: what every form of POST /api/v1/runs has in common. A handler turns
// its body into items, one a run and in the order of the request; those at fault from the start stay aside,
// the rest go to the committer as one submission. The answer counts every item exactly once, under its index
// in the request: accepted + duplicates + number of rejected = number of items.
#pragma once

#include <functional>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/model/run.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator {

// One run of a batch: a command for the committer, or why it is none (a malformed line, an unknown field, a
// limit). An item at fault is rejected alone, never to be sent again as it is.
using Item = std::variant<Command, FieldError>;

// What became of a batch. `rejected` is sorted by index; what the committer deferred stands there as
// retryable.
using BatchResult = wire::PushResult;

// Submits the items that are commands and waits until they are committed. An error (Unavailable, or fatal;
// see Committer::submit) speaks for the whole batch: nothing of it was applied. Without commands nothing is
// submitted. Any thread.
absl::StatusOr<BatchResult> submit_batch(Committer& committer, std::vector<Item> items);

// Hears the commands of a push before they are submitted. Null: nobody does.
using Listener = std::function<void(const std::vector<Command>&)>;

// submit_batch for the body of a protobuf push (wire::decode_push; each run an ApplySnapshot).
// InvalidArgument if the message as a whole cannot be read: the whole push is at fault.
absl::StatusOr<wire::PushResult> push(Committer& committer, std::string_view protobuf_body,
                                      const Listener& listener = nullptr);

}  // namespace kleptometrics::aggregator
