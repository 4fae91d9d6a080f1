// A database as the first version of the store kept it: a row a run.
#pragma once

#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::fault {

// Writes it through SQLite's VFS `vfs` (empty: the system's) and closes it. False if SQLite refuses.
bool write_old_store(const std::string& path, const std::string& vfs, const std::vector<aggregator::Run>& runs);

}  // namespace kleptometrics::fault
