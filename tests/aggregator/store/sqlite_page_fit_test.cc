// How many runs a chunk had best hold: what is said of pages is what SQLite does with them.
#include "aggregator/store/sqlite/page_fit.h"

#include <sqlite3.h>

#include <cmath>
#include <string>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

// Of a table as `chunks` is, of rows that are alike.
double pages_taken(std::size_t chunk_bytes, int rows) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
  const std::string sql =
      "PRAGMA page_size=4096;"
      "CREATE TABLE chunks(key INTEGER PRIMARY KEY, first_start INTEGER, last_start INTEGER, states INTEGER, forget_at "
      "INTEGER, bytes BLOB);"
      "WITH RECURSIVE each(key) AS (SELECT 1 UNION ALL SELECT key + 1 FROM each LIMIT " +
      std::to_string(rows) +
      ") INSERT INTO chunks SELECT key, 1751328000000000000, 1751328000000000000, 4, NULL, zeroblob(" +
      std::to_string(chunk_bytes) + ") FROM each";
  REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_stmt* count = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &count, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(count) == SQLITE_ROW);
  const double pages = sqlite3_column_double(count, 0);
  sqlite3_finalize(count);
  REQUIRE(sqlite3_close(db) == SQLITE_OK);
  return pages;
}

TEST_CASE("a row of chunks takes the bytes of pages that are said") {
  constexpr int kRows = 1'000;
  for (const std::size_t bytes :
       {700U, 1'200U, 1'900U, 2'300U, 4'000U, 4'500U, 5'800U, 6'300U, 8'400U, 11'200U, 14'300U}) {
    INFO(bytes);
    const double taken = pages_taken(bytes, kRows) * static_cast<double>(kPageBytes) / kRows;
    const auto said = static_cast<double>(bytes_of_pages(bytes));
    REQUIRE(std::abs(taken - said) < 0.05 * said);
  }
}

TEST_CASE("a chunk holds from two thirds of its slots to all of them") {
  for (double each = 0.01; each < 100'000; each *= 1.1) {
    const std::size_t runs = runs_that_fit(each);
    REQUIRE(runs <= kSlotsMax);
    REQUIRE(runs >= kSlotsMax * 2 / 3);
  }
}

TEST_CASE("chunks of any kind of run lose at most a tenth of their pages, and full ones more than a quarter") {
  double worst_of_full = 0;  // of runs whose ids are random, which take ten bytes alone
  for (double each = 20; each < 200; each *= 1.01) {
    INFO(each << " bytes a run");
    const auto lost = [&](std::size_t runs) {
      const double bytes = static_cast<double>(runs) * each;
      return 1 - bytes / static_cast<double>(bytes_of_pages(static_cast<std::size_t>(bytes)));
    };
    REQUIRE(lost(runs_that_fit(each)) < 0.10);
    worst_of_full = std::max(worst_of_full, lost(kSlotsMax));
  }
  REQUIRE(worst_of_full > 0.25);
}

}  // namespace
}  // namespace kleptometrics::aggregator::sqlite
