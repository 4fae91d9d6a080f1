#include "aggregator/base/log.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "aggregator/base/absl_view.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {
namespace {

void log(std::string_view level, std::string_view event) {
  const absl::Time now = absl::FromUnixNanos(system_clock().now().wall);
  const std::string line = absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone()), " ",
                                        absl_view(level), " ", in_one_line(event), "\n");
  // One write, so that lines of threads do not mix. A closed stderr is no reason to stop.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

std::string in_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out += c;
    }
  }
  return out;
}

void log_info(std::string_view event) { log("info", event); }
void log_error(std::string_view event) { log("error", event); }

}  // namespace kleptometrics::aggregator
