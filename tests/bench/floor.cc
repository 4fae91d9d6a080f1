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
#include "tests/bench/questions.h"
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

Floor measure_floor(const History& history, std::size_t batch, const std::string& dir, double seconds) {
  const std::vector<std::string> bodies = write_batches(history, batch);
  AppendedFile file(dir + "/floor");
  std::array<Sketch, 3> sketches;
  v1::PushRequest request;
  std::vector<double> appends;  // microseconds
  const Nanos begin = system_steady();
  Nanos now = begin;
  Nanos decoding = 0;
  for (std::size_t turn = 0; static_cast<double>(now - begin) < seconds * 1e9; ++turn) {
    const std::string& body = bodies[turn % bodies.size()];
    const Nanos received = now;
    if (!request.ParseFromString(body)) throw std::runtime_error("a batch cannot be decoded");
    for (const v1::Run& run : request.runs())
      for (Sketch& sketch : sketches) sketch.add(static_cast<std::uint64_t>(run.duration_ns()));
    const Nanos decoded = system_steady();
    file.append(body);
    now = system_steady();
    decoding += decoded - received;
    appends.push_back(static_cast<double>(now - decoded) / 1e3);
  }
  const auto runs = static_cast<double>(sketches[0].count());
  const auto all = static_cast<double>(now - begin);
  return {runs * 1e9 / all, static_cast<double>(decoding) / runs,
          static_cast<double>(now - begin - decoding) / 1e3 / static_cast<double>(appends.size()), median_of(appends)};
}

}  // namespace kleptometrics::bench
