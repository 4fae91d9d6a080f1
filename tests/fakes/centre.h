// A centre that a test plays itself: takes pushes into a store of its own, and answers as it is told.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "aggregator/forward/transport.h"
#include "aggregator/store/memory_store.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::fakes {

inline constexpr char kProblemType[] = "application/problem+json";

// The fields are for the test while nobody pushes.
struct Centre {
  aggregator::MemoryStore store;
  std::deque<aggregator::Reply> replies;  // what the next pushes are answered with, unread; then they are taken
  std::size_t runs_max = 1'000'000;       // in a push; more: 413
  // Why a run is refused; nullopt: it is taken. The index is filled in.
  std::function<std::optional<aggregator::wire::Rejection>(const aggregator::Run&)> refuse;
  std::function<void()> before_answer;

  std::vector<std::size_t> pushes;        // runs of each that was read
  std::vector<std::size_t> bytes;         // of each that came
  std::vector<aggregator::Run> received;  // in their order, refused or not

  aggregator::Reply post(const std::string& body) {
    bytes.push_back(body.size());
    if (!replies.empty()) {
      aggregator::Reply reply = replies.front();
      replies.pop_front();
      return reply;
    }
    const auto decoded = aggregator::wire::decode_push(body);
    if (!decoded.ok()) return {400, kProblemType, "{}", {}};
    if (decoded->size() > runs_max) return {413, kProblemType, "{}", {}};
    pushes.push_back(decoded->size());
    const aggregator::wire::PushResult result = take(*decoded);
    if (before_answer) before_answer();
    return {200, "application/x-protobuf", aggregator::wire::encode_result(result), {}};
  }

 private:
  aggregator::wire::PushResult take(const std::vector<aggregator::wire::Decoded>& decoded) {
    aggregator::wire::PushResult result;
    for (std::uint32_t i = 0; i < decoded.size(); ++i) {
      const auto* const run = std::get_if<aggregator::Run>(&decoded[i]);
      if (run != nullptr) received.push_back(*run);
      auto rejection = run == nullptr ? aggregator::wire::Rejection{0, "form", "bad", false}
                       : refuse       ? refuse(*run)
                                      : std::nullopt;
      if (rejection) {
        rejection->index = i;
        result.rejected.push_back(*rejection);
        continue;
      }
      const bool fresh = (*store.commit({*run}, 0))[0] == aggregator::Applied::kAccepted;
      ++(fresh ? result.accepted : result.duplicates);
    }
    return result;
  }
};

// The way to it, for who owns a transport.
struct WayToCentre final : aggregator::Transport {
  explicit WayToCentre(Centre& to) : centre(to) {}
  Centre& centre;
  aggregator::Reply post(std::string body) override { return centre.post(body); }
};

}  // namespace kleptometrics::fakes
