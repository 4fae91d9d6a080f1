// The tables, all in the schema `kleptometrics` of the database, and how older ones become this build's. What each is
// for stands in README.md beside. Any number of processes may begin at once.
#pragma once

#include "absl/status/status.h"
#include "aggregator/store/postgres/connection.h"

namespace kleptometrics::aggregator::postgres {

inline constexpr int kSchemaVersion = 1;

// Makes the tables, or brings them to this build's version, in one transaction under a lock. FailedPrecondition: they
// are newer than this build, or no tables of ours; NotFound: `must_exist`, and there are none.
absl::Status open_schema(Connection& db, bool must_exist);

// Locks of a transaction, as pg_advisory_xact_lock takes them: of a database, so also of every aggregator on it.
inline constexpr long long kSchemaLock = 0x6b6c'6570'746f'0001;
inline constexpr long long kSettleLock = 0x6b6c'6570'746f'0002;    // whoever changes rollups
inline constexpr long long kFindingsLock = 0x6b6c'6570'746f'0003;  // whoever closes findings
inline constexpr long long kCommitLock = 0x6b6c'6570'746f'0004;    // shared by commits, but by one that got in the way

}  // namespace kleptometrics::aggregator::postgres
