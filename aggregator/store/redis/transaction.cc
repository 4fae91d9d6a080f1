#include "aggregator/store/redis/transaction.h"

#include "aggregator/store/redis/scripts.h"

namespace kleptometrics::aggregator::redis {

void Transaction::expect(std::string_view key, std::string_view value) {
  keys_.add(key);
  values_.add(value);
}

void Transaction::expect_field(std::string_view key, std::string_view field, std::string_view value) {
  fields_.words.add(key).add(field).add(value);
  ++fields_.count;
}

void Transaction::add(const Command& fixed, const Command& list) {
  commands_.words.add(fixed.count()).add(fixed.count() + list.count()).add(fixed).add(list);
  ++commands_.count;
}

void Transaction::add(const std::string& key, const RollupChange& change, const stats::Series& series) {
  rollups_.words.add(key).add(change.arguments(series));
  ++rollups_.count;
}

void Transaction::keep_smaller(const std::string& key, const std::string& field, const std::string& value) {
  rollups_.words.add(key).add(0).add(0).add(0).add(0).add(1).add(field).add(value);
  ++rollups_.count;
}

absl::StatusOr<bool> Transaction::execute(Connection& connection) const {
  Command command("EVALSHA", kTransaction.sha1, 0, keys_.count());
  command.add(keys_).add(values_);
  for (const List* each : {&fields_, &commands_, &rollups_}) command.add(each->count).add(each->words);
  Pipeline pipeline;
  pipeline.add(command);
  const absl::StatusOr<Replies> replies = connection.ask(pipeline);
  if (!replies.ok()) return replies.status();
  return replies->back().number() == 1;
}

}  // namespace kleptometrics::aggregator::redis
