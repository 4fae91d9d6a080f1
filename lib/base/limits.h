// Bounds that both sides of the wire keep. The client library cuts to them, so that a host is never
// refused for a long name; the aggregator refuses what exceeds them, with an error that names the field.
// Every name ends in `_max` and carries its unit.
#pragma once

#include <cstddef>

namespace kleptometrics::limits {

inline constexpr std::size_t body_bytes_max = 4U << 20U;   // one HTTP request body
inline constexpr std::size_t run_bytes_max = 256U << 10U;  // one run, serialised by itself
inline constexpr std::size_t job_name_bytes_max = 200;
inline constexpr std::size_t label_count_max = 16;
inline constexpr std::size_t label_key_bytes_max = 200;
inline constexpr std::size_t label_value_bytes_max = 1024;
inline constexpr std::size_t counter_count_max = 64;
inline constexpr std::size_t counter_name_bytes_max = 200;
inline constexpr std::size_t step_count_max = 256;
inline constexpr std::size_t step_path_bytes_max = 1024;
inline constexpr std::size_t failure_message_bytes_max = 4096;
inline constexpr std::size_t text_bytes_max = 1024;         // host, program, version, build id, boot id
inline constexpr std::size_t description_bytes_max = 4096;  // of a job
inline constexpr std::size_t tag_count_max = 16;            // of a job
inline constexpr std::size_t tag_bytes_max = 200;
inline constexpr std::size_t retention_days_max = 36'500;
inline constexpr std::size_t cron_bytes_max = 256;         // one expression
inline constexpr std::size_t timezone_bytes_max = 64;      // the name of a zone
inline constexpr std::size_t maintenance_count_max = 32;   // windows of a job
inline constexpr std::size_t job_length_days_max = 3'660;  // any length of time that a job's specification names
inline constexpr std::size_t runs_in_a_row_max = 1'000;    // before an alert, or the end of one
inline constexpr std::size_t batch_runs_max = 100'000;     // runs in one push

}  // namespace kleptometrics::limits
