// What is to be changed, as one step of the server: on condition that everything it was worked out from is still as it
// was read. The server runs one script for it, so all of it is done or, where a condition is not met or the server has
// no memory, nothing. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/store/redis/connection.h"
#include "aggregator/store/redis/pipeline.h"
#include "aggregator/store/redis/rollup_hash.h"

namespace kleptometrics::aggregator::redis {

class Transaction {
 public:
  // Only if the key has this value, or is empty or absent where the value is empty; a field of a hash likewise.
  void expect(std::string_view key, std::string_view value);
  void expect_field(std::string_view key, std::string_view field, std::string_view value);

  // A command whose first `fixed` words stand before a list of any length, and are said again where that has to be cut:
  // between pairs, so lists of pairs stay so. A command without a list is done, too.
  void add(const Command& fixed, const Command& list);
  void add(const Command& command) { add(command, Command()); }
  // Adds to a rollup.
  void add(const std::string& key, const RollupChange& change, const stats::Series& series);
  // Sets a field of a hash, if it has no smaller value: of texts of hexadecimal digits, all of one length.
  void keep_smaller(const std::string& key, const std::string& field, const std::string& value);

  // False, and nothing was changed, if something is not as expected. Unavailable: it is not known whether it was
  // changed or, of a connection that is not broken, it was not.
  absl::StatusOr<bool> execute(Connection& connection) const;

 private:
  // Things of one kind, after their number.
  struct List {
    Command words;
    std::size_t count = 0;
  };
  Command keys_, values_;
  List fields_, commands_, rollups_;
};

}  // namespace kleptometrics::aggregator::redis
