// A centre that listens beyond loopback: behind keys and TLS or not at all; who reports to it, asks it, and is turned
// away.
#include <kleptometrics/kleptometrics.h>
#include <kleptometrics/query.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/http/connection.h"
#include "tests/e2e/daemon.h"
#include "tests/e2e/memory.h"
#include "tests/support/catch.h"
#include "tests/support/certificates.h"

using kleptometrics::tests::Answer;
using kleptometrics::tests::Authority;
using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::Json;
using kleptometrics::tests::PemFiles;
using kleptometrics::tests::read_file;
using kleptometrics::tests::remembers;
using kleptometrics::tests::run_program;
using kleptometrics::tests::Subject;
using kleptometrics::tests::TempDir;

namespace {

namespace http = kleptometrics::http;

// The key on the first line of what the daemon prints.
std::string make_key(const std::string& name_and_scope, const std::string& file) {
  const Ended made = run_program({KLEPTO_DAEMON, "--new_api_key=" + name_and_scope, "--api_key_file=" + file});
  REQUIRE(made.exit_code == 0);
  const std::size_t at = made.output.find("klepto_");
  REQUIRE(at != std::string::npos);
  return made.output.substr(at, 71);
}

struct Called {
  std::string method, path, body;
};

Answer ask(const std::string& endpoint, const std::string& ca_file, const std::string& field, const Called& call) {
  auto parsed = http::parse_endpoint(endpoint);
  REQUIRE(parsed);
  std::string text = call.method + " " + call.path + " HTTP/1.1\r\nHost: " + parsed->host_field() +
                     "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(call.body.size()) +
                     "\r\n" + field + "\r\n" + call.body;
  http::Connection connection(*parsed, ca_file);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  http::Response response;
  std::string error;
  const bool answered = connection.open(std::chrono::seconds(20), deadline, &error) &&
                        connection.exchange(text, deadline, 64U << 20U, &response, &error);
  if (!answered) return {0, error, {}};
  return {response.status, response.body, response.content_type};
}

std::string bearer(const std::string& key) { return "Authorization: Bearer " + key + "\r\n"; }

// What all of them share: an authority, and files of keys and certificates that may change while the centre runs.
struct Secrets {
  TempDir dir;
  std::string key_file = dir / "keys";
  std::map<std::string, std::string> keys;  // by scope
  Authority authority;
  PemFiles files = authority.issue();

  Secrets() {
    for (const std::string scope : {"read", "write", "admin"})
      keys[scope] = make_key("the-" + scope + "er:" + scope, key_file);
  }
  std::vector<std::string> flags() const {
    return {"--listen=0.0.0.0:0", "--api_key_file=" + key_file, "--tls_certificate=" + files.certificate,
            "--tls_key=" + files.key};
  }
};

struct Centre : Secrets {
  Daemon daemon{flags()};

  std::string port() const { return daemon.listen().substr(daemon.listen().rfind(':') + 1); }
  std::string endpoint() const { return "https://localhost:" + port(); }
  Answer call(const std::string& field, const Called& what) const {
    return ask(endpoint(), authority.ca_file(), field, what);
  }
  // As a local user, over the Unix socket.
  Json local(const std::string& path) const { return ask(daemon.endpoint(), "", "", {"GET", path, ""}).json(); }
  std::size_t runs_of(const std::string& job) const {
    const Json answer = local("/api/v1/jobs/" + job + "/runs?limit=1000");
    return answer.contains("runs") ? answer["runs"].size() : 0;
  }
};

// A client of the library that reports to a centre, and remembers what went wrong.
struct Reporter {
  TempDir spool;
  std::mutex mutex;
  std::vector<std::string> errors;
  std::unique_ptr<kleptometrics::Client> client;

  Reporter(const std::string& endpoint, const std::string& key, const std::string& ca_file) {
    kleptometrics::ClientOptions options;
    options.endpoint = endpoint;
    options.spool_dir = spool.path();
    options.api_key = key;
    options.ca_file = ca_file;
    options.on_error = [this](std::string_view error) {
      const std::lock_guard<std::mutex> lock(mutex);
      errors.emplace_back(error);
    };
    client = std::make_unique<kleptometrics::Client>(options);
  }
  void report(const std::string& job, int runs) const {
    for (int i = 0; i < runs; ++i) kleptometrics::Run run(*client, job);
  }
  bool delivers() const { return client->flush(std::chrono::seconds(20)); }
  // That a push was tried, and is going to be again.
  bool keeps_trying() const {
    for (int tries = 0; tries < 100 && client->stats().retries == 0; ++tries)
      client->flush(std::chrono::milliseconds(50));
    return client->stats().retries > 0 && client->stats().pending > 0 && client->stats().delivered == 0;
  }
  std::vector<std::string> told() {
    const std::lock_guard<std::mutex> lock(mutex);
    return errors;
  }
};

// Nothing arrives, nothing is lost, and it is told once why.
void check_kept(Reporter& reporter, const std::string& why) {
  reporter.report("kept", 5);
  REQUIRE(reporter.keeps_trying());
  const auto stats = reporter.client->stats();
  INFO(stats.last_error);
  CHECK(stats.rejected == 0);
  CHECK(stats.dropped == 0);
  CHECK(stats.pending == 5);
  CHECK(stats.last_error.find(why) != std::string::npos);
  const auto errors = reporter.told();
  CHECK(errors.size() <= 1);
  for (const std::string& error : errors) CHECK(error.find("klepto_") == std::string::npos);
}

void check_refused(const std::vector<std::string>& flags, const std::string& why) {
  const TempDir dir;
  std::vector<std::string> command{KLEPTO_DAEMON, "--listen=0.0.0.0:0", "--socket=", "--store=memory:", "--spool_dir="};
  command.insert(command.end(), flags.begin(), flags.end());
  const Ended ended = run_program(command, {}, 20);
  INFO(ended.output);
  CHECK(ended.exit_code == 1);
  CHECK(ended.output.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("Beyond loopback the aggregator does not start without both a key and TLS") {
  const Secrets secrets;
  const std::string keys = "--api_key_file=" + secrets.key_file;
  const std::string certificate = "--tls_certificate=" + secrets.files.certificate;
  const std::string key = "--tls_key=" + secrets.files.key;
  check_refused({}, "beyond loopback needs API keys (--api_key_file) and TLS (--tls_certificate, --tls_key)");
  check_refused({keys}, "beyond loopback needs");
  check_refused({certificate, key}, "beyond loopback needs");
  check_refused({keys, certificate}, "both a certificate");
  check_refused({"--listen=[::]:0", keys}, "beyond loopback needs");
}

TEST_CASE("Files of keys and certificates that are not in order are refused with their place") {
  const Secrets secrets;
  const std::string certificate = "--tls_certificate=" + secrets.files.certificate;
  const std::string key = "--tls_key=" + secrets.files.key;
  const auto with_keys = [&](const std::string& text) {
    const std::string path = secrets.dir / "other";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
    return std::vector<std::string>{"--api_key_file=" + path, certificate, key};
  };
  const std::string place = secrets.dir / "other";
  check_refused(with_keys(""), place + ": no key is in it");
  check_refused(with_keys("a read\n"), place + ":1: ");
  check_refused(with_keys("# one\n\na read e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"),
                place + ":3: the hash is that of an empty key");
  check_refused(with_keys("a read abcd\n"), place + ":1: the hash must be 64");
  check_refused({"--api_key_file=" + place + "2", certificate, key}, place + "2");
  ::chmod(secrets.files.key.c_str(), 0644);
  check_refused({"--api_key_file=" + secrets.key_file, certificate, key}, secrets.files.key);
  ::chmod(secrets.files.key.c_str(), 0600);
  ::chmod(secrets.key_file.c_str(), 0666);
  check_refused({"--api_key_file=" + secrets.key_file, certificate, key}, "may write to it");
}

TEST_CASE("A key is made for a name and a scope, and for nothing else") {
  const TempDir dir;
  const auto exit_code = [&](const std::string& wish) {
    return run_program({KLEPTO_DAEMON, "--new_api_key=" + wish, "--api_key_file=" + dir / "keys"}).exit_code;
  };
  for (const char* wish : {"ci", "ci:", ":read", "ci:everything", "c i:read"}) CHECK(exit_code(wish) == 1);
  CHECK(exit_code("ci:read") == 0);
  CHECK(exit_code("ci:read") == 1);
  CHECK(exit_code("ci2:read") == 0);
}

TEST_CASE("Every call of the document is open to the keys whose scope reaches, and to nobody else") {
  const Centre centre;
  const Answer described = centre.call("", {"GET", "/api/v1/openapi.json", ""});
  REQUIRE(described.status == 200);
  const std::map<std::string, int> ranks = {{"none", 0}, {"read", 1}, {"write", 2}, {"admin", 3}};
  const std::string right = centre.keys.at("admin");
  std::string wrong = right;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  std::vector<std::string> strangers = {"",
                                        "Authorization:\r\n",
                                        "Authorization: Bearer\r\n",
                                        "Authorization: Bearer \r\n",
                                        bearer("klepto_"),
                                        bearer(right.substr(0, 70)),
                                        bearer(right + "0"),
                                        bearer(wrong),
                                        "Authorization: Basic " + right + "\r\n",
                                        "X-Api-Key: " + right + "\r\n"};
  int calls = 0;
  const Json paths = described.json().at("paths");
  for (const auto& [path, operations] : paths.items()) {
    for (const auto& [name, operation] : operations.items()) {
      if (name == "parameters") continue;
      ++calls;
      const Json& security = operation.at("security");
      const int wanted = security.empty() ? 0 : ranks.at(security[0]["api_key"][0]);
      Called call{name, path, name == "get" ? "" : "{}"};
      for (char& c : call.method) c = static_cast<char>(c - 'a' + 'A');
      if (const auto at = call.path.find("{id}"); at != std::string::npos)
        call.path.replace(at, 4, "00000000-0000-7000-8000-000000000000");
      if (const auto at = call.path.find("{job}"); at != std::string::npos) call.path.replace(at, 5, "walked");
      CAPTURE(call.method, call.path, wanted);
      for (const std::string& field : strangers) {
        const Answer answer = centre.call(field, call);
        CAPTURE(answer.body);
        CHECK((answer.status == 401) == (wanted > 0));
        if (wanted > 0) CHECK(answer.json().at("status") == 401);
      }
      for (const auto& [scope, key] : centre.keys) {
        const Answer answer = centre.call(bearer(key), call);
        CAPTURE(scope, answer.body);
        CHECK((answer.status != 0 && answer.status != 401));
        CHECK((answer.status == 403) == (ranks.at(scope) < wanted));
      }
    }
  }
  CHECK(calls > 20);
  const std::string metrics = centre.call(bearer(right), {"GET", "/metrics", ""}).body;
  CHECK(metrics.find("http_unauthorized_total") != std::string::npos);
}

TEST_CASE("Local users need no key on the Unix socket") {
  const Centre centre;
  CHECK(ask(centre.daemon.endpoint(), "", "", {"PUT", "/api/v1/jobs/nightly", "{}"}).status == 201);
  CHECK(run_program({KLEPTO_NIGHTLY_BILLING}, centre.daemon.environment()).exit_code == 0);
  CHECK(centre.runs_of("nightly-billing") == 1);
}

TEST_CASE("The library reports, and asks, over https with a key from the environment") {
  const Centre centre;
  const TempDir spool;
  const std::vector<std::string> environment = {
      "KLEPTO_ENDPOINT=" + centre.endpoint(), "KLEPTO_API_KEY=" + centre.keys.at("write"),
      "KLEPTO_CA_FILE=" + centre.authority.ca_file(), "KLEPTO_SPOOL_DIR=" + spool.path()};
  for (int i = 0; i < 3; ++i) CHECK(run_program({KLEPTO_NIGHTLY_BILLING}, environment).exit_code == 0);
  CHECK(centre.runs_of("nightly-billing") == 3);
  kleptometrics::query::AggregatorOptions options;
  options.api_key = centre.keys.at("read");
  options.ca_file = centre.authority.ca_file();
  const kleptometrics::query::Aggregator asked(centre.endpoint(), options);
  kleptometrics::query::RunsQuestion question;
  question.job = "nightly-billing";
  const auto runs = asked.runs(question);
  REQUIRE(runs);
  CHECK(runs->runs.size() == 3);
  options.api_key.clear();
  const auto refused = kleptometrics::query::Aggregator(centre.endpoint(), options).jobs();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().status == 401);
  options.ca_file.clear();
  const auto distrusted = kleptometrics::query::Aggregator(centre.endpoint(), options).jobs();
  REQUIRE_FALSE(distrusted);
  CHECK(distrusted.error().detail.find("its certificate is refused") != std::string::npos);
}

TEST_CASE("A program that reports over TLS ends well, whoever cleans OpenSSL up, and in the middle of a push") {
  const Centre centre;
  const TempDir spool;
  const std::vector<std::string> environment = {
      "KLEPTO_ENDPOINT=" + centre.endpoint(), "KLEPTO_API_KEY=" + centre.keys.at("write"),
      "KLEPTO_CA_FILE=" + centre.authority.ca_file(), "KLEPTO_SPOOL_DIR=" + spool.path()};
  const std::vector<std::string> occasions = {"never", "before", "between", "after", "fork"};
  std::size_t runs = 0;
  for (const std::string& when : occasions) {  // patient ends: all is delivered
    CAPTURE(when);
    CHECK(run_program({KLEPTO_SECURE_HOST, when, "10000000", "20"}, environment).exit_code == 0);
    CHECK(centre.runs_of("ends") == (runs += when == "fork" ? 40 : 20));
  }
  for (int round = 0; round < 20; ++round) {  // hasty ones: some of it
    for (const std::string& when : occasions) {
      CAPTURE(when, round);
      const std::string microseconds = std::to_string(round * 400);
      CHECK(run_program({KLEPTO_SECURE_HOST, when, microseconds, "20"}, environment).exit_code == 0);
    }
  }
}

TEST_CASE("What a certificate does not prove is sent nothing, and nothing is lost") {
  Centre centre;
  const Authority stranger;
  Reporter wrong_authority(centre.endpoint(), centre.keys.at("write"), stranger.ca_file());
  check_kept(wrong_authority, "its certificate is refused");
  Reporter wrong_name("https://127.0.0.2:" + centre.port(), centre.keys.at("write"), centre.authority.ca_file());
  check_kept(wrong_name, "IP address mismatch");
  Reporter by_system(centre.endpoint(), centre.keys.at("write"), "");
  check_kept(by_system, "its certificate is refused");
  Reporter no_file(centre.endpoint(), centre.keys.at("write"), "/nowhere/ca.pem");
  check_kept(no_file, "/nowhere/ca.pem");
  Reporter plain("http://localhost:" + centre.port(), centre.keys.at("write"), "");
  plain.report("kept", 1);

  centre.authority.issue({{"localhost"}, {"127.0.0.1"}, -3, -1});
  ::kill(centre.daemon.pid(), SIGHUP);
  Reporter expired(centre.endpoint(), centre.keys.at("write"), centre.authority.ca_file());
  bool refused = false;
  for (int tries = 0; tries < 200 && !refused; ++tries)
    refused = ask(centre.endpoint(), centre.authority.ca_file(), "", {"GET", "/-/ready", ""}).status == 0;
  REQUIRE(refused);
  check_kept(expired, "has expired");
  CHECK(centre.runs_of("kept") == 0);

  centre.authority.issue();
  ::kill(centre.daemon.pid(), SIGHUP);
  CHECK(expired.delivers());
  CHECK(centre.runs_of("kept") == 5);
}

TEST_CASE("A key that is not known, or may not report, keeps the runs where they are until it may") {
  Centre centre;
  Reporter without(centre.endpoint(), "", centre.authority.ca_file());
  check_kept(without, "401");
  Reporter reader(centre.endpoint(), centre.keys.at("read"), centre.authority.ca_file());
  check_kept(reader, "403");
  const std::string other_file = centre.dir / "other";
  const std::string late_key = make_key("late:write", other_file);
  Reporter late(centre.endpoint(), late_key, centre.authority.ca_file());
  check_kept(late, "401");
  CHECK(centre.runs_of("kept") == 0);
  std::ofstream(centre.key_file, std::ios::app) << read_file(other_file);
  ::kill(centre.daemon.pid(), SIGHUP);
  CHECK(late.delivers());
  CHECK(centre.runs_of("kept") == 5);
}

TEST_CASE("Keys are changed by SIGHUP, and a broken file leaves the old ones") {
  Centre centre;
  const std::string before = read_file(centre.key_file);
  const Called jobs{"GET", "/api/v1/jobs", ""};
  const auto becomes = [&](const std::string& key, int status) {
    for (int tries = 0; tries < 500; ++tries)
      if (centre.call(bearer(key), jobs).status == status) return true;
    return false;
  };
  const std::string fresh = make_key("fresh:read", centre.key_file);
  CHECK(centre.call(bearer(fresh), jobs).status == 401);
  ::kill(centre.daemon.pid(), SIGHUP);
  CHECK(becomes(fresh, 200));
  std::ofstream(centre.key_file) << "broken\n";
  ::kill(centre.daemon.pid(), SIGHUP);
  for (int tries = 0; tries < 500 && centre.daemon.log().find(":1: ") == std::string::npos; ++tries) ::usleep(10'000);
  CHECK(centre.daemon.log().find(centre.key_file + ":1: ") != std::string::npos);
  CHECK(centre.call(bearer(fresh), jobs).status == 200);
  std::ofstream(centre.key_file) << before;
  ::kill(centre.daemon.pid(), SIGHUP);
  CHECK(becomes(fresh, 401));
  CHECK(centre.call(bearer(centre.keys.at("read")), jobs).status == 200);
  CHECK(centre.daemon.terminate() == 0);
}

TEST_CASE("A key is found neither in the log, nor in answers, nor in what is left in memory") {
  Centre centre;
  const std::string& key = centre.keys.at("write");
  const std::string& scope_too_low = centre.keys.at("read");
  const std::string unknown = "klepto_" + std::string(32, '7') + std::string(32, 'e');
  std::string answers;
  for (const std::string& shown : {key, scope_too_low, unknown}) {
    for (const Called& call :
         {Called{"POST", "/api/v1/jobs/a/runs", "{}"}, Called{"GET", "/api/v1/jobs", ""}, Called{"GET", "/metrics", ""},
          Called{"PUT", "/api/v1/jobs/a", "{}"}, Called{"POST", "/api/v1/runs", std::string(300'000, ' ')}})
      answers += centre.call(bearer(shown), call).body;
  }
  const std::string log = centre.daemon.log();
  for (const std::string& shown : {key, scope_too_low, unknown}) {
    const std::string digits = shown.substr(7);
    CHECK(answers.find(digits) == std::string::npos);
    CHECK(log.find(digits) == std::string::npos);
    CHECK_FALSE(remembers(centre.daemon.pid(), digits));
  }
  CHECK(remembers(centre.daemon.pid(), centre.key_file));  // which is there to be found
}

TEST_CASE("A centre is called by the names of its certificate, by addresses, and as it is told") {
  Secrets secrets;
  secrets.files = secrets.authority.issue({{"localhost", "*.fleet.example"}, {"127.0.0.1"}, -1, 2});
  std::vector<std::string> flags = secrets.flags();
  flags.push_back("--allowed_hosts=Proxy.example,*.other.example");
  const Daemon daemon(flags);
  const std::string port = daemon.listen().substr(daemon.listen().rfind(':') + 1);
  const auto parsed = http::parse_endpoint("https://localhost:" + port);
  const auto status = [&](const std::string& host) {
    http::Connection connection(*parsed, secrets.authority.ca_file());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    http::Response response;
    std::string error;
    REQUIRE(connection.open(std::chrono::seconds(20), deadline, &error));
    REQUIRE(connection.exchange("GET /-/ready HTTP/1.1\r\nHost: " + host + "\r\n\r\n", deadline, 1U << 20U, &response,
                                &error));
    return response.status;
  };
  for (const char* host : {"localhost", "a.fleet.example:9461", "10.1.2.3", "proxy.example", "b.other.example"})
    CHECK(status(host) == 200);
  for (const char* host : {"fleet.example", "evil.example"}) CHECK(status(host) == 421);
}

TEST_CASE("a sidecar forwards over TLS by its key, and while that is wrong runs wait, and its log says so once") {
  const bool known = GENERATE(false, true);  // a key that may only read
  Centre centre;
  const auto sidecar_with = [&](const std::string& key) {
    return std::vector<std::string>{"env", "KLEPTO_API_KEY=" + key, "KLEPTO_CA_FILE=" + centre.authority.ca_file(),
                                    KLEPTO_DAEMON};
  };
  const TempDir dir;
  const std::vector<std::string> flags{"--store=sqlite:" + dir / "runs.db", "--forward=" + centre.endpoint()};
  {
    std::string wrong = centre.keys[known ? "read" : "write"];
    if (!known) wrong.back() = wrong.back() == '0' ? '1' : '0';
    const Daemon sidecar(flags, sidecar_with(wrong));
    REQUIRE(sidecar.send("POST", "/api/v1/jobs/nightly/runs", "{}").status == 201);
    sidecar.eventually("/api/v1/jobs", [&](const Json&) {
      const std::string metrics = sidecar.get("/metrics").body;
      return metrics.find("kleptometrics_forward_failures_total 3\n") != std::string::npos;
    });
    const std::string log = sidecar.log();
    const std::size_t told = log.find("it answers with status 40");
    REQUIRE(told != std::string::npos);
    REQUIRE(log.find("it answers with status 40", told + 1) == std::string::npos);
    REQUIRE(centre.runs_of("nightly") == 0);
  }
  const Daemon sidecar(flags, sidecar_with(centre.keys["write"]));
  sidecar.eventually("/api/v1/jobs", [&](const Json&) { return centre.runs_of("nightly") == 1; });
  REQUIRE(centre.runs_of("nightly") == 1);
}
