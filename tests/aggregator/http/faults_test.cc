// What is answered while the house behind the API is in trouble, and by its health checks.
#include <stdexcept>
#include <utility>

#include "absl/status/status.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/fakes/forwarding_store.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

// Empty; every call gives the error set here, or throws.
struct TroubledStore final : fakes::ForwardingStore {
  absl::Status commit_error, read_error, ready_error;
  bool throws = false;

  absl::Status reading() const {
    if (throws) throw std::runtime_error("a secret of the server");
    return read_error;
  }
  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos, const std::vector<Basis>&) override {
    if (!commit_error.ok()) return commit_error;
    return std::vector<Applied>(runs.size(), Applied::kAccepted);
  }
  absl::StatusOr<std::optional<Run>> run(const Uuid&) override {
    if (auto error = reading(); !error.ok()) return error;
    return std::optional<Run>();
  }
  absl::StatusOr<RunPage> runs(const RunFilter&, const std::optional<RunCursor>&, std::size_t) override {
    if (auto error = reading(); !error.ok()) return error;
    return RunPage();
  }
  absl::Status scan(const RunFilter&, absl::FunctionRef<void(const Run&)>) override { return reading(); }
  absl::Status summarize(const SummaryRequest&, Pieces&) override { return reading(); }
  absl::StatusOr<std::vector<JobHead>> jobs(const std::string&) override {
    if (auto error = reading(); !error.ok()) return error;
    return std::vector<JobHead>();
  }
  absl::Status ready() override { return ready_error; }
};

struct TroubledApi : ApiFixture {
  TroubledApi() : ApiFixture(std::make_unique<TroubledStore>()), trouble(static_cast<TroubledStore&>(*store)) {}
  TroubledStore& trouble;
};

const std::string kARun = R"({"runs":[{"job":"nightly"}]})";

TEST_CASE("health and readiness are told") {
  const ApiFixture api;
  CHECK(api.get("/-/healthy").body == R"({"status":"ok"})");
  CHECK(api.get("/-/ready").body == R"({"status":"ok"})");
  CHECK(api.send("HEAD", "/-/healthy").status == 200);
}

TEST_CASE("a full disk is worth a retry, and the process is healthy, but not ready") {
  TroubledApi api;
  api.trouble.commit_error = absl::UnavailableError("disk full");
  api.trouble.ready_error = absl::UnavailableError("disk full");
  const Response pushed = api.post("/api/v1/runs", kARun);
  CHECK(blame(pushed) == "503 absent");
  CHECK(header(pushed, "Retry-After") == "1");
  CHECK(at(pushed, "/detail").find("disk full") != std::string::npos);
  CHECK(blame(api.post("/api/v1/jobs/nightly/runs", "{}")) == "503 absent");
  CHECK(api.get("/-/healthy").status == 200);
  const Response ready = api.get("/-/ready");
  CHECK(blame(ready) == "503 absent");
  CHECK(at(ready, "/detail") == "disk full");
}

TEST_CASE("after an error that must not be retried the process is neither healthy nor ready, and says why") {
  TroubledApi api;
  api.trouble.commit_error = absl::DataLossError("fsync failed");
  CHECK(blame(api.post("/api/v1/runs", kARun)) == "500 absent");
  for (const char* path : {"/-/healthy", "/-/ready"}) {
    const Response response = api.get(path);
    CHECK(blame(response) == "503 absent");
    CHECK(at(response, "/detail").find("fsync failed") != std::string::npos);
  }
}

TEST_CASE("an error of reading is passed on as what it is") {
  TroubledApi api;
  const std::string run = "/api/v1/runs/" + std::string(kAnId);
  for (const std::string& path : {std::string("/api/v1/runs"), std::string("/api/v1/jobs"), run,
                                  std::string("/api/v1/jobs/a/stats"), std::string("/api/v1/jobs/a")}) {
    INFO(path);
    api.trouble.read_error = absl::UnavailableError("busy");
    CHECK(blame(api.get(path)) == "503 absent");
    api.trouble.read_error = absl::DataLossError("malformed page");
    CHECK(blame(api.get(path)) == "500 absent");
  }
}

TEST_CASE("an exception is contained and does not show") {
  TroubledApi api;
  api.trouble.throws = true;
  const Response response = api.get("/api/v1/runs");
  CHECK(blame(response) == "500 absent");
  CHECK(response.body.find("secret") == std::string::npos);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
