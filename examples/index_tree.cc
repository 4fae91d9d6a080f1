// Builds an inverted index of a folder of text: every word with the files it stands in. A batch program as
// they come, timed from inside. Five steps: scan finds the files, read and tokenize are hot (one timing a
// file, on several threads with --threads), merge brings the threads' words together, write puts the index on
// disk.
#include <kleptometrics/kleptometrics.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "examples/arguments.h"

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUsage =
    "index_tree [--root DIR] [--output FILE] [--limit N] [--threads N] [--job NAME]\n"
    "           [--fail[=REASON]] [--throw] [--slow SECONDS]\n"
    "\n"
    "Builds an inverted word index of a folder of text and reports the run to kleptometricsd.\n"
    "\n"
    "  --root DIR       folder to index, with all below it (/usr/include)\n"
    "  --output FILE    where the index goes; without it a temporary file, removed again\n"
    "  --limit N        index the first N files only, in order of their names\n"
    "  --threads N      threads that read and tokenize (1)\n"
    "  --job NAME       name of the job in the history (index-tree)\n"
    "  --fail[=REASON]  do the work, then report the run as failed\n"
    "  --throw          let an exception leave the run, as a bug would\n"
    "  --slow SECONDS   spend that much longer in merge\n"
    "\n"
    "The aggregator is found as every program with the library finds it: KLEPTO_ENDPOINT, else the local "
    "sockets.\n"
    "Exit code: 0 the index is built, 1 the run failed, 2 the arguments are wrong.\n";

constexpr std::size_t kWordBytesMin = 2;
constexpr std::size_t kWordBytesMax = 64;
constexpr std::uintmax_t kFileBytesMax = 16U << 20U;

struct Options {
  fs::path root = "/usr/include";
  fs::path output;  // empty: a temporary file
  std::size_t limit = SIZE_MAX;
  unsigned threads = 1;
  std::string job = "index-tree";
  std::optional<std::string> fail;
  bool throws = false;
  std::chrono::duration<double> slow{};
};

Options parse(int argc, char** argv) {
  Options options;
  examples::Arguments arguments(argc, argv, kUsage);
  while (arguments.next()) {
    if (arguments.is("--root"))
      options.root = arguments.value();
    else if (arguments.is("--output"))
      options.output = arguments.value();
    else if (arguments.is("--limit"))
      options.limit = arguments.whole_number(1, 1'000'000'000);
    else if (arguments.is("--threads"))
      options.threads = arguments.whole_number(1, 256);
    else if (arguments.is("--job"))
      options.job = arguments.value();
    else if (arguments.is("--fail"))
      options.fail = arguments.value_or("asked to fail by --fail");
    else if (arguments.is("--throw"))
      options.throws = true;
    else if (arguments.is("--slow"))
      options.slow = std::chrono::duration<double>(arguments.number(0, 86'400));
    else
      arguments.refuse_unknown();
  }
  std::error_code unreadable;
  if (!fs::is_directory(options.root, unreadable))
    arguments.refuse("--root: " + options.root.string() + " is not a folder");
  return options;
}

using FileNumber = std::uint32_t;
// Files in which a word stands, in rising order.
using Postings = std::vector<FileNumber>;
using Words = std::unordered_map<std::string, Postings>;
using Index = std::map<std::string, Postings>;

std::vector<fs::path> scan(const Options& options) {
  std::vector<fs::path> files;
  const auto forgiving = fs::directory_options::skip_permission_denied;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(options.root, forgiving)) {
    std::error_code unreadable;
    if (entry.is_regular_file(unreadable) && entry.file_size(unreadable) <= kFileBytesMax && !unreadable)
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  files.resize(std::min(files.size(), options.limit));
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool is_text(std::string_view content) { return content.substr(0, 4096).find('\0') == std::string_view::npos; }

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Enters the words of one file, lower-cased. Returns how many there were.
std::size_t tokenize(std::string_view text, FileNumber file, Words& words) {
  std::size_t count = 0;
  std::string word;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && in_word(text[at])) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at])));
      continue;
    }
    if (word.size() >= kWordBytesMin && word.size() <= kWordBytesMax) {
      Postings& files = words[word];
      if (files.empty() || files.back() != file) files.push_back(file);
      ++count;
    }
    word.clear();
  }
  return count;
}

// Reads and tokenizes on several threads, each with words of its own: nothing is shared but the number of the
// next file.
class Reader {
 public:
  Reader(kleptometrics::Run& run, const std::vector<fs::path>& files)
      : run_(run), files_(files), reading_(run.step_timer("read")), tokenizing_(run.step_timer("tokenize")) {}

  std::vector<Words> read_all(unsigned threads) {
    std::vector<std::future<Words>> parts;
    for (unsigned i = 1; i < threads; ++i) parts.push_back(std::async(std::launch::async, [this] { return work(); }));
    std::vector<Words> words;
    words.push_back(work());
    for (std::future<Words>& part : parts) words.push_back(part.get());
    return words;
  }

 private:
  Words work() {
    Words words;
    for (std::size_t at = next_++; at < files_.size(); at = next_++) {
      take(files_[at], static_cast<FileNumber>(at), words);
      if (at % 64 == 0) run_.progress(static_cast<double>(at) / static_cast<double>(files_.size()));
    }
    return words;
  }

  void take(const fs::path& path, FileNumber number, Words& words) {
    std::string content;
    {
      auto timing = reading_.start();
      content = read(path);
    }
    run_.count("bytes", static_cast<double>(content.size()));
    if (!is_text(content)) return;
    auto timing = tokenizing_.start();
    run_.count("words", static_cast<double>(tokenize(content, number, words)));
    run_.count("files");
  }

  kleptometrics::Run& run_;
  const std::vector<fs::path>& files_;
  kleptometrics::StepTimer reading_, tokenizing_;
  std::atomic<std::size_t> next_{0};
};

Index merge(std::vector<Words> parts) {
  Index index;
  for (Words& words : parts) {
    for (auto& [word, files] : words) {
      Postings& all = index[word];
      const auto middle = static_cast<std::ptrdiff_t>(all.size());
      all.insert(all.end(), files.begin(), files.end());
      std::inplace_merge(all.begin(), all.begin() + middle, all.end());
    }
    words.clear();
  }
  return index;
}

// `file NUMBER PATH` for each file, then `word WORD NUMBER...`. Complete or not there at all: written beside
// its place, then renamed.
void write(const Index& index, const std::vector<fs::path>& files, const fs::path& output) {
  const fs::path unfinished = output.string() + ".unfinished";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  for (std::size_t number = 0; number < files.size(); ++number)
    out << "file\t" << number << '\t' << files[number].string() << '\n';
  for (const auto& [word, postings] : index) {
    out << "word\t" << word;
    for (const FileNumber file : postings) out << '\t' << file;
    out << '\n';
  }
  out.close();
  if (!out) throw std::runtime_error("cannot write " + unfinished.string());
  fs::rename(unfinished, output);
}

fs::path temporary_output() {
  return fs::temp_directory_path() / ("index_tree." + std::to_string(getpid()) + ".index");
}

// False: the run was reported as failed.
bool build(const Options& options) {
  kleptometrics::Run run(options.job);
  run.label("root", options.root.string());

  std::vector<fs::path> files;
  {
    auto step = run.step("scan");
    files = scan(options);
  }
  std::vector<Words> words = Reader(run, files).read_all(options.threads);
  Index index;
  {
    auto step = run.step("merge");
    index = merge(std::move(words));
    std::this_thread::sleep_for(options.slow);
    if (options.throws) throw std::runtime_error("asked to throw by --throw");
  }
  const bool keep = !options.output.empty();
  const fs::path output = keep ? options.output : temporary_output();
  {
    auto step = run.step("write");
    write(index, files, output);
  }
  std::printf("%s: %zu files, %zu different words, %ju bytes of index\n", options.job.c_str(), files.size(),
              index.size(), static_cast<std::uintmax_t>(fs::file_size(output)));
  if (!keep) fs::remove(output);
  if (options.fail) run.fail(*options.fail);
  return !options.fail;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    if (build(options)) return 0;
    std::fprintf(stderr, "index_tree: %s\n", options.fail->c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "index_tree: %s\n", error.what());
  }
  return 1;
}
