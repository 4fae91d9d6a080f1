// Asks kleptometricsd over its REST API and prints the answers as tables, each under the curl line that asks
// the same: the jobs, then of each job its newest runs, its statistics, and the steps of its slowest run.
// Shows how history is read by a program that knows nothing but HTTP and JSON.
#include <httplib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/arguments.h"

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kUsage =
    "print_history [--endpoint URL] [--limit N] [JOB...]\n"
    "\n"
    "Prints what kleptometricsd knows of the jobs named, or of all.\n"
    "\n"
    "  --endpoint URL   http://host:port or unix:/path (KLEPTO_ENDPOINT, else http://127.0.0.1:9461)\n"
    "  --limit N        newest runs to print of each job (10)\n"
    "\n"
    "Exit code: 0 printed, 1 the aggregator did not answer as asked, 2 the arguments are wrong.\n";

struct Options {
  std::string endpoint = "http://127.0.0.1:9461";
  unsigned limit = 10;
  std::vector<std::string> jobs;
};

Options parse(int argc, char** argv) {
  Options options;
  if (const char* endpoint = std::getenv("KLEPTO_ENDPOINT")) options.endpoint = endpoint;
  examples::Arguments arguments(argc, argv, kUsage);
  while (arguments.next()) {
    if (arguments.is("--endpoint")) {
      options.endpoint = arguments.value();
    } else if (arguments.is("--limit")) {
      options.limit = arguments.whole_number(1, 1000);
    } else if (arguments.is_word()) {
      options.jobs.push_back(arguments.word());
    } else {
      arguments.refuse_unknown();
    }
  }
  return options;
}

// Asks, and says how: every question is printed as a line for the shell.
class Aggregator {
 public:
  explicit Aggregator(const std::string& endpoint) {
    constexpr std::string_view kUnix = "unix:";
    if (endpoint.rfind(kUnix, 0) == 0) {
      const std::string path = endpoint.substr(kUnix.size());
      curl_ = "curl -s --unix-socket " + path + " 'http://localhost";
      client_ = std::make_unique<httplib::Client>(path);
      client_->set_address_family(AF_UNIX);
      headers_.emplace("Host", "localhost");
    } else {
      curl_ = "curl -s '" + endpoint;
      client_ = std::make_unique<httplib::Client>(endpoint);
    }
    client_->set_tcp_nodelay(true);
  }

  Json get(const std::string& path) {
    std::printf("$ %s%s'\n\n", curl_.c_str(), path.c_str());
    const httplib::Result result = client_->Get(path, headers_);
    if (!result) throw std::runtime_error("no answer: " + httplib::to_string(result.error()));
    Json answer = Json::parse(result->body);
    if (result->status != 200) throw std::runtime_error(path + ": " + answer.value("detail", result->body));
    return answer;
  }

 private:
  std::string curl_;
  std::unique_ptr<httplib::Client> client_;
  httplib::Headers headers_;
};

// Columns as wide as their widest cell; the first is aligned to the left, as is any whose title ends in a
// blank.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  void print() const {
    for (const std::vector<std::string>& row : rows_) {
      std::string line;
      for (std::size_t column = 0; column < row.size(); ++column) {
        const std::string blanks(width(column) - row[column].size(), ' ');
        const bool left = column == 0 || rows_[0][column].back() == ' ';
        line += "  " + (left ? row[column] + blanks : blanks + row[column]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      std::printf("%s\n", line.c_str());
    }
    std::printf(rows_.size() == 1 ? "  (none)\n\n" : "\n");
  }

 private:
  std::size_t width(std::size_t column) const {
    std::size_t widest = 0;
    for (const std::vector<std::string>& row : rows_) widest = std::max(widest, row[column].size());
    return widest;
  }
  std::vector<std::vector<std::string>> rows_;
};

std::string formatted(const char* format, double number, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, format, number, unit);
  return text;
}

std::string duration_text(double seconds) {
  if (seconds < 1e-3) return formatted("%.0f %s", seconds * 1e6, "us");
  if (seconds < 1) return formatted("%.1f %s", seconds * 1e3, "ms");
  if (seconds < 120) return formatted("%.2f %s", seconds, "s");
  if (seconds < 7200) return formatted("%.1f %s", seconds / 60, "min");
  return formatted("%.1f %s", seconds / 3600, "h");
}

std::string count_text(double number) {
  if (number < 1e4) return formatted("%.6g%s", number, "");
  if (number < 1e6) return formatted("%.1f%s", number / 1e3, "k");
  if (number < 1e9) return formatted("%.1f%s", number / 1e6, "M");
  return formatted("%.1f%s", number / 1e9, "G");
}

// Words of strangers: no control characters to the terminal, and not too many.
std::string plain_text(std::string text) {
  constexpr std::size_t kBytesMax = 60;
  if (text.size() > kBytesMax) text = text.substr(0, kBytesMax) + "...";
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// 2026-11-24T03:09:39.123Z, to the second and for the eye.
std::string instant_text(const Json& run) {
  std::string text = run.value("started_at", "").substr(0, 19);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

std::string seconds_of(const Json& json, const char* field) {
  return json.contains(field) ? duration_text(json.at(field).get<double>()) : "-";
}

std::string counters_of(const Json& run) {
  std::string text;
  if (!run.contains("counters")) return text;
  for (const auto& [name, value] : run.at("counters").items())
    text += (text.empty() ? "" : ", ") + plain_text(name) + " " + count_text(value.get<double>());
  return text;
}

std::string failure_of(const Json& run) {
  if (!run.contains("failure")) return {};
  const Json& failure = run.at("failure");
  const std::string message = plain_text(failure.value("message", ""));
  return failure.value("kind", "") + (message.empty() ? "" : ": " + message);
}

std::vector<std::string> print_jobs(Aggregator& aggregator) {
  std::vector<std::string> names;
  Table table({"JOB", "STATUS ", "LAST RUN (UTC) ", "STATE ", "TOOK"});
  const Json answer = aggregator.get("/api/v1/jobs");
  for (const Json& job : answer.at("jobs")) {
    const Json last = job.value("last_run", Json::object());
    names.push_back(job.at("name").get<std::string>());
    table.add({names.back(), job.value("status", ""), instant_text(last), last.value("state", ""),
               seconds_of(last, "duration_seconds")});
  }
  table.print();
  return names;
}

void print_runs(Aggregator& aggregator, const std::string& job, unsigned limit) {
  Table table({"STARTED (UTC)", "STATE ", "TOOK", "COUNTERS ", "FAILURE "});
  const Json answer = aggregator.get("/api/v1/jobs/" + job + "/runs?limit=" + std::to_string(limit));
  for (const Json& run : answer.at("runs")) {
    table.add({instant_text(run), run.value("state", ""), seconds_of(run, "duration_seconds"), counters_of(run),
               failure_of(run)});
  }
  table.print();
}

// Returns the id of the slowest run, if there is one.
std::optional<std::string> print_stats(Aggregator& aggregator, const std::string& job) {
  Table table({"COUNT", "LOW", "MEDIAN", "P95", "HIGH", "MEAN", "FAILED", "CANCELED", "CRASHED"});
  const Json stats = aggregator.get("/api/v1/jobs/" + job + "/stats");
  const auto count = [&stats](const char* field) { return count_text(stats.value(field, 0.0)); };
  table.add({count("count"), seconds_of(stats, "min"), seconds_of(stats, "median"), seconds_of(stats, "p95"),
             seconds_of(stats, "max"), seconds_of(stats, "mean"), count("failed"), count("canceled"),
             count("crashed")});
  table.print();
  if (!stats.contains("high")) return std::nullopt;
  return stats.at("high").at("run_id").get<std::string>();
}

void print_steps(Aggregator& aggregator, const std::string& run_id) {
  Table table({"STEP", "COUNT", "FAILED", "TOTAL", "SHORTEST", "MEDIAN", "LONGEST"});
  const Json run = aggregator.get("/api/v1/runs/" + run_id);
  for (const Json& step : run.value("steps", Json::array())) {
    table.add({plain_text(step.at("name").get<std::string>()), count_text(step.value("count", 0.0)),
               count_text(step.value("failed", 0.0)), seconds_of(step, "total_seconds"),
               seconds_of(step, "min_seconds"), seconds_of(step, "median_seconds"), seconds_of(step, "max_seconds")});
  }
  table.print();
}

void print_history(const Options& options) {
  Aggregator aggregator(options.endpoint);
  std::vector<std::string> jobs = print_jobs(aggregator);
  if (!options.jobs.empty()) jobs = options.jobs;
  for (const std::string& job : jobs) {
    std::printf("---- %s: the newest runs\n\n", job.c_str());
    print_runs(aggregator, job, options.limit);
    std::printf("---- %s: how long it takes when it succeeds\n\n", job.c_str());
    const std::optional<std::string> slowest = print_stats(aggregator, job);
    if (!slowest) continue;
    std::printf("---- %s: the steps of its slowest run\n\n", job.c_str());
    print_steps(aggregator, *slowest);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    print_history(options);
    return 0;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "print_history: %s\n", error.what());
    return 1;
  }
}
