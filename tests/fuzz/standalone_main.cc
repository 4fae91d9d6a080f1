// Runs a fuzz target where there is no libFuzzer: every file of a corpus as it is, then mutations of them, each made by
// its own number and so the same every time. Finds what is near the corpus; what libFuzzer's steering finds stays with
// the preset `fuzz`. A finding ends the process, with the number of its mutation on stderr.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// A target may have one, and some have not.
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                                     std::size_t size_max, unsigned seed);
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGrowthMax = 4096;  // bytes by which a mutation may be longer than what it was made of
constexpr const char* kUsage =
    "usage: TARGET [-runs=N] [-seconds=N] [-mutation=N] FOLDER\n"
    "  -runs=N      mutations to try; 300000 unless given\n"
    "  -seconds=N   stop after so long even if they are not all tried; 8 unless given\n"
    "  -mutation=N  try this one alone\n";

struct Options {
  unsigned runs = 300'000;
  std::chrono::seconds time{8};
  std::optional<unsigned> only;
  fs::path folder;
};

std::mt19937 random_bits;  // reseeded for every mutation
char now_trying[64] = "";  // for the handler

void tell_and_die(int signal) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, now_trying, std::string_view(now_trying).size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<Bytes> read_corpus(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const fs::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

void run(const Bytes& input) {
  const Bytes exact(input.begin(), input.end());  // no room behind it: AddressSanitizer sees every step too far
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_mutation(const std::vector<Bytes>& corpus, unsigned number) {
  std::snprintf(now_trying, sizeof now_trying, "found with -mutation=%u\n", number);
  random_bits.seed(number);
  Bytes bytes = corpus[random_bits() % corpus.size()];
  const std::size_t size = bytes.size();
  bytes.resize(size + kGrowthMax);
  const bool own = LLVMFuzzerCustomMutator != nullptr;
  const std::size_t made = own ? LLVMFuzzerCustomMutator(bytes.data(), size, bytes.size(), number)
                               : LLVMFuzzerMutate(bytes.data(), size, bytes.size());
  bytes.resize(made);
  run(bytes);
}

unsigned run_mutations(const std::vector<Bytes>& corpus, const Options& options) {
  const auto end = std::chrono::steady_clock::now() + options.time;
  unsigned number = 0;
  while (number < options.runs && std::chrono::steady_clock::now() < end) run_mutation(corpus, number++);
  return number;
}

std::optional<unsigned> number_in(std::string_view argument, std::string_view name) {
  if (argument.substr(0, name.size()) != name) return std::nullopt;
  return static_cast<unsigned>(std::strtoul(argument.data() + name.size(), nullptr, 10));
}

bool read_options(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (const auto runs = number_in(argument, "-runs=")) {
      options->runs = *runs;
    } else if (const auto seconds = number_in(argument, "-seconds=")) {
      options->time = std::chrono::seconds(*seconds);
    } else if (const auto mutation = number_in(argument, "-mutation=")) {
      options->only = *mutation;
    } else if (argument.substr(0, 1) == "-" || !options->folder.empty()) {
      return false;
    } else {
      options->folder = argument;
    }
  }
  return !options->folder.empty();
}

// The small changes that mutations are made of. Each takes the size and returns the new one.
std::uint8_t any_byte() { return static_cast<std::uint8_t>(random_bits()); }

void flip_bit(std::uint8_t* data, std::size_t size) {
  data[random_bits() % size] ^= static_cast<std::uint8_t>(1U << random_bits() % 8);
}

void set_byte(std::uint8_t* data, std::size_t size) { data[random_bits() % size] = any_byte(); }

// A number at the edge of a type, in the low bytes of up to eight.
void set_edge(std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kEdges[] = {0, 1, 127, 128, 255, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
  const std::uint64_t edge = kEdges[random_bits() % std::size(kEdges)];
  const std::size_t at = random_bits() % size;
  const std::size_t length = std::min<std::size_t>(size - at, std::size_t{1} << random_bits() % 4);
  for (std::size_t i = 0; i < length; ++i) data[at + i] = static_cast<std::uint8_t>(edge >> 8 * i);
}

void copy_within(std::uint8_t* data, std::size_t size) {
  const std::size_t from = random_bits() % size;
  const std::size_t to = random_bits() % size;
  std::copy_n(Bytes(data + from, data + size).begin(), std::min<std::size_t>({size - from, size - to, 64}), data + to);
}

std::size_t insert(std::uint8_t* data, std::size_t size, std::size_t size_max) {
  const std::size_t length = std::min<std::size_t>(1 + random_bits() % 16, size_max - size);
  const std::size_t at = random_bits() % (size + 1);
  std::copy_backward(data + at, data + size, data + size + length);
  std::generate_n(data + at, length, any_byte);
  return size + length;
}

std::size_t erase(std::uint8_t* data, std::size_t size) {
  const std::size_t at = random_bits() % size;
  const std::size_t length = std::min<std::size_t>(1 + random_bits() % 64, size - at);
  std::copy(data + at + length, data + size, data + at);
  return size - length;
}

std::size_t change(std::uint8_t* data, std::size_t size, std::size_t size_max) {
  if (size == 0) return insert(data, size, size_max);
  switch (random_bits() % 6) {
    case 0:
      return insert(data, size, size_max);
    case 1:
      return erase(data, size);
    case 2:
      set_byte(data, size);
      break;
    case 3:
      set_edge(data, size);
      break;
    case 4:
      copy_within(data, size);
      break;
    default:
      flip_bit(data, size);
  }
  return size;
}

}  // namespace

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max) {
  for (auto changes = 1 + random_bits() % 4; changes > 0; --changes) size = change(data, size, size_max);
  return size;
}

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, &options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(signal, tell_and_die);
  const std::vector<Bytes> corpus = read_corpus(options.folder);
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus in %s\n", options.folder.c_str());
    return 2;
  }
  if (options.only) {
    run_mutation(corpus, *options.only);
    return 0;
  }
  for (const Bytes& input : corpus) run(input);
  const unsigned tried = run_mutations(corpus, options);
  std::printf("%zu files and %u mutations\n", corpus.size(), tried);
  return 0;
}
