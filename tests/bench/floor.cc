#include "tests/bench/floor.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "kleptometrics/v1/run.pb.h"
#include "lib/base/clock.h"
#include "lib/sketch/sketch.h"
#include "tests/bench/encode.h"
#include "tests/bench/stream.h"

namespace kleptometrics::bench {
namespace {

constexpr std::size_t kBatches = 200;  // different ones, over and over

std::vector<std::string> write_batches(const History& history, std::size_t batch) {
  Stream stream(history, {});
  Encoder encoder(history, {});
  std::vector<std::string> bodies;
  std::vector<Sample> runs;
  while (bodies.size() < kBatches && stream.next(batch, runs) && (bodies.empty() || runs.size() == batch))
    bodies.push_back(encoder.body(runs));
  return bodies;
}

class AppendedFile {
 public:
  explicit AppendedFile(std::string path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) throw std::runtime_error("make " + path_ + ": " + std::strerror(errno));
  }
  ~AppendedFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  void append(const std::string& bytes) {
    if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fdatasync(fd_) != 0)
      throw std::runtime_error("write " + path_ + ": " + std::strerror(errno));
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

}  // namespace

double floor_rate(const History& history, std::size_t batch, const std::string& dir, double seconds) {
  const std::vector<std::string> bodies = write_batches(history, batch);
  AppendedFile file(dir + "/floor");
  std::array<Sketch, 3> sketches;
  v1::PushRequest request;
  std::size_t runs = 0;
  const Nanos begin = system_steady();
  const Nanos least = static_cast<Nanos>(seconds * static_cast<double>(kNanosPerSecond));
  Nanos taken = 0;
  for (std::size_t turn = 0; taken < least; ++turn) {
    const std::string& body = bodies[turn % bodies.size()];
    if (!request.ParseFromString(body)) throw std::runtime_error("a batch cannot be decoded");
    for (const v1::Run& run : request.runs())
      for (Sketch& sketch : sketches) sketch.add(static_cast<std::uint64_t>(run.duration_ns()));
    file.append(body);
    runs += static_cast<std::size_t>(request.runs_size());
    taken = system_steady() - begin;
  }
  if (sketches[0].count() != runs) throw std::runtime_error("a sketch has lost a run");
  return static_cast<double>(runs) * static_cast<double>(kNanosPerSecond) / static_cast<double>(taken);
}

}  // namespace kleptometrics::bench
