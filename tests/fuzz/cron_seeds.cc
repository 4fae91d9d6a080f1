#include <map>
#include <string>

#include "tests/fuzz/seeds.h"

namespace kleptometrics::fuzz {

std::map<std::string, std::string> cron_seeds() {
  return {{"whole-every-minute", "* * * * *"},
          {"whole-nickname", "@Weekly"},
          {"whole-names", "0 5 * jan-MAR,Dec mon-fri/2,sun"},
          {"whole-steps", "*/7 3/5 10-30/10 */2 *"},
          {"whole-either-day", "30 6,18 1,15,31 * fri-sun"},
          {"whole-leap-sundays", "0 0 29 2 */7"},
          {"refused-never", "0 0 30-31 2 *"},
          {"refused-beyond", "75 24 32 13 8"},
          {"refused-backwards", "59-0 * * * sat-mon"},
          {"refused-quartz", "0 0 0 ? * 5#3 L"}};
}

}  // namespace kleptometrics::fuzz
