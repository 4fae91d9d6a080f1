#include "tests/fault/host/aggregator.h"

#include <httplib.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

namespace kleptometrics::fault {
namespace {

constexpr int kReadyTries = 6000;  // of 5 ms

}  // namespace

Aggregator::Aggregator(std::string dir, const std::vector<std::string>& environment) : dir_(std::move(dir)) {
  ::unlink((dir_ + "/ready").c_str());
  const std::vector<std::string> command{KLEPTO_DAEMON,
                                         "--listen=127.0.0.1:0",
                                         "--socket=",
                                         "--store=sqlite:" + dir_ + "/runs.db",
                                         "--spool_dir=" + dir_ + "/spool",
                                         "--ready_file=" + dir_ + "/ready"};
  process_ = std::make_unique<Victim>(command, environment);
}

bool Aggregator::ready() {
  for (int tries = 0; tries < kReadyTries; ++tries) {
    if (const std::string said = tests::read_file(dir_ + "/ready"); !said.empty()) {
      listen_ = tests::Json::parse(said).at("listen");
      return true;
    }
    if (process_->has_ended()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

tests::Answer Aggregator::send(const std::string& method, const std::string& path, const std::string& body) const {
  const std::size_t colon = listen_.rfind(':');
  httplib::Client client(listen_.substr(0, colon), std::stoi(listen_.substr(colon + 1)));
  client.set_read_timeout(10);
  const httplib::Result result =
      method == "GET" ? client.Get(path.c_str()) : client.Post(path.c_str(), body, "application/json");
  if (!result) return {};
  return {result->status, result->body, result->get_header_value("Content-Type")};
}

int Aggregator::terminate() {
  if (process_->pid() != 0) ::kill(process_->pid(), SIGTERM);
  return process_->wait(std::chrono::seconds(30));
}

int Aggregator::kill() {
  if (process_->pid() != 0) ::kill(process_->pid(), SIGKILL);
  return process_->wait(std::chrono::seconds(30));
}

}  // namespace kleptometrics::fault
