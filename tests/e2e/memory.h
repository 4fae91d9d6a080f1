// What is left in the memory of another process, as a core dump of it would show.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <ios>
#include <stdexcept>
#include <string>

namespace kleptometrics::tests {

// Whether the bytes are somewhere in what the process may write to. Throws where that cannot be looked at.
inline bool remembers(pid_t pid, const std::string& bytes) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream maps(folder + "/maps");
  std::ifstream memory(folder + "/mem", std::ios::binary);
  if (!memory.good()) throw std::runtime_error("cannot read " + folder + "/mem");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    char rights[8] = {};
    if (std::sscanf(line.c_str(), "%llx-%llx %7s", &begin, &end, rights) != 3 || rights[1] != 'w') continue;
    std::string content(end - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(std::max<std::streamsize>(memory.gcount(), 0)));
    if (content.find(bytes) != content.npos) return true;
  }
  return false;
}

}  // namespace kleptometrics::tests
