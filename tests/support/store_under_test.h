// Which store the aggregators of a test keep their runs in. KLEPTO_TEST_STORE names it: sqlite, which is meant without
// it too, postgresql or redis, of which a server of the test's own is then started.
#pragma once

#include <string>

namespace kleptometrics::tests {

// URL of a store that nobody has used yet; files of its own go into the folder. Where the server is not installed the
// test program says so and ends: ctest counts it as skipped. Throws std::runtime_error for a name that is none. One
// thread at a time.
std::string fresh_store_url(const std::string& folder);

}  // namespace kleptometrics::tests
