// Writes the seeds into a corpus: `fuzz_make_corpus tests/fuzz/corpus`, after a change of a format. What else lies
// there, such as an input that once found a bug, stays.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/fuzz/seeds.h"

namespace {

void write(const std::filesystem::path& folder, const std::map<std::string, std::string>& seeds) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, bytes] : seeds) {
    std::ofstream out(folder / name, std::ios::binary);
    out.exceptions(std::ios::failbit | std::ios::badbit);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_make_corpus FOLDER\n", stderr);
    return 2;
  }
  try {
    const std::filesystem::path corpus = argv[1];
    write(corpus / "cron", kleptometrics::fuzz::cron_seeds());
    write(corpus / "journal", kleptometrics::fuzz::journal_seeds());
    write(corpus / "keys", kleptometrics::fuzz::keys_seeds());
    write(corpus / "push", kleptometrics::fuzz::push_seeds());
    write(corpus / "sketch", kleptometrics::fuzz::sketch_seeds());
    write(corpus / "rollup", kleptometrics::fuzz::rollup_seeds());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_make_corpus: %s\n", error.what());
    return 1;
  }
  return 0;
}
