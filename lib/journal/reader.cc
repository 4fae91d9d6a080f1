#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/journal/format.h"
#include "lib/journal/journal.h"
#include "lib/journal/process.h"

namespace kleptometrics::journal {
namespace {

// Finds the live records and the areas of a file, given its key.
class Search {
 public:
  Search(std::string_view bytes, Key key) : bytes_(bytes), key_(key), wasted_bytes_left_(16 * bytes.size()) {}

  void run() {
    std::size_t at = kHeadBytes;
    while (at + kRecordHeadBytes <= bytes_.size()) at += look_at(at) * kUnitBytes;
    const auto by_sequence = [](const Record& a, const Record& b) { return a.sequence < b.sequence; };
    std::stable_sort(records.begin(), records.end(), by_sequence);
  }

  std::vector<Record> records;
  std::vector<AreaBytes> areas;
  std::size_t damaged = 0;

 private:
  // How many units to go on by: those of a record or an area are its own, whatever lies in them.
  std::size_t look_at(std::size_t at) {
    const auto mark = get<std::uint32_t>(bytes_.data() + at);
    const bool open = looks_like(mark, kOpen);
    if (!open && !looks_like(mark, kLive)) return 1;
    const RecordHead head = read_record_head(bytes_.data() + at);
    if (!is_whole(head, at, open)) {
      if (mark == kLive || mark == kOpen) ++damaged;
      return 1;
    }
    const std::string_view payload = bytes_.substr(at + kRecordHeadBytes, head.length);
    if (open) {
      areas.push_back(
          {std::string(payload.substr(0, head.flags)), std::string(payload.substr(open_part_at(head.flags)))});
    } else {
      records.push_back({head.sequence, (head.flags & kFlagTerminal) != 0, std::string(payload)});
    }
    return units_of(head.length);
  }

  bool is_whole(const RecordHead& head, std::size_t at, bool open) {
    if (head.sequence == 0 || head.length > bytes_.size() - at - kRecordHeadBytes) return false;
    if (open && (head.flags > head.length || open_part_at(head.flags) > head.length)) return false;
    const std::size_t covered = open ? head.flags : head.length;
    // A file made to hurt has a mark in every unit, each with the rest of the file for its payload. One that
    // was merely damaged never comes near this bound.
    if (covered > wasted_bytes_left_) return false;
    if (record_crc(key_, head, bytes_.substr(at + kRecordHeadBytes, covered)) == head.crc) return true;
    wasted_bytes_left_ -= covered;
    return false;
  }

  std::string_view bytes_;
  Key key_;
  std::size_t wasted_bytes_left_;
};

void take(Search& search, Contents* contents) {
  contents->records = std::move(search.records);
  contents->areas = std::move(search.areas);
  contents->damaged = search.damaged;
}

// Both copies of the head are damaged; a key may still be whole, and proves itself by the records it opens.
void search_with_any(const std::array<Key, 2>& keys, std::string_view bytes, Contents* contents) {
  Search first(bytes, keys[0]);
  first.run();
  Search second(bytes, keys[1]);
  if (keys[1] != keys[0]) second.run();
  take(second.records.size() > first.records.size() ? second : first, contents);
}

int open_file(const std::string& path, int access) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), access | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// Whoever adopted the file before us may have unlinked it while we opened it.
bool still_names(const std::string& path, const struct stat& file) noexcept {
  struct stat now {};
  return ::lstat(path.c_str(), &now) == 0 && now.st_dev == file.st_dev && now.st_ino == file.st_ino;
}

ReadError lock(int fd) noexcept {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_SETLK, &whole) == 0) return ReadError::kNone;
  return errno == EAGAIN || errno == EACCES ? ReadError::kBusy : ReadError::kUnreadable;
}

bool is_ours_to_read(const struct stat& file, unsigned owner) noexcept {
  return S_ISREG(file.st_mode) && file.st_uid == owner && static_cast<std::size_t>(file.st_size) <= kBytesMax;
}

// Up to `size` bytes; fewer if the file was cut meanwhile.
bool read_all(int fd, std::size_t size, std::string* out) {
  out->resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, out->data() + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  out->resize(done);
  return true;
}

ReadError lock_and_read(int fd, const std::string& path, unsigned owner, std::string* bytes) {
  struct stat file {};
  if (fd < 0 || ::fstat(fd, &file) != 0 || !is_ours_to_read(file, owner)) return ReadError::kUnreadable;
  if (const ReadError error = lock(fd); error != ReadError::kNone) return error;
  if (!still_names(path, file)) return ReadError::kUnreadable;
  return read_all(fd, static_cast<std::size_t>(file.st_size), bytes) ? ReadError::kNone : ReadError::kUnreadable;
}

// A file open for reading, and how much of it there is to read. Closed with it.
struct Looking {
  Looking(const std::string& path, unsigned owner) : fd(open_file(path, O_RDONLY)) {
    ours = fd >= 0 && ::fstat(fd, &file) == 0 && is_ours_to_read(file, owner);
  }
  ~Looking() {
    if (fd >= 0) ::close(fd);
  }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;
  std::size_t size() const { return static_cast<std::size_t>(file.st_size); }

  int fd;
  struct stat file {};
  bool ours = false;
};

void see_lock(int fd, Glimpse* glimpse) noexcept {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  glimpse->locked = ::fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  if (glimpse->locked && whole.l_pid > 0) glimpse->holder = static_cast<std::uint32_t>(whole.l_pid);
}

}  // namespace

ReadError glimpse_at(const std::string& path, unsigned owner, Glimpse* glimpse) {
  *glimpse = Glimpse{};
  const Looking at(path, owner);
  std::string bytes;
  if (!at.ours || !read_all(at.fd, std::min(kHeadBytes, at.size()), &bytes)) return ReadError::kUnreadable;
  HeadRead read = read_head(bytes);
  if (read.error == ReadError::kNewer) return read.error;
  if (read.error == ReadError::kNone) glimpse->producer = std::move(read.head.producer);
  see_lock(at.fd, glimpse);
  return read.error;
}

ReadError look_into(const std::string& path, unsigned owner, Contents* contents) {
  const Looking at(path, owner);
  std::string bytes;
  if (!at.ours || !read_all(at.fd, at.size(), &bytes)) return ReadError::kUnreadable;
  return parse(bytes, contents);
}

ReadError parse(std::string_view bytes, Contents* contents) {
  *contents = Contents{};
  const HeadRead read = read_head(bytes);
  if (read.error == ReadError::kNewer) return read.error;
  if (read.error == ReadError::kDamagedHead) {
    search_with_any(read.keys, bytes, contents);
    return read.error;
  }
  contents->producer = read.head.producer;
  Search search(bytes, read.head.key);
  search.run();
  take(search, contents);
  contents->dropped = read_dropped(bytes);
  if (bytes.size() < read.head.file_bytes) ++contents->damaged;
  return ReadError::kNone;
}

std::unique_ptr<Adoption> Adoption::open(const std::string& path, unsigned owner, ReadError* error) {
  std::unique_ptr<Adoption> adoption(new Adoption);
  adoption->fd_ = open_file(path, O_RDWR);
  adoption->path_ = path;
  std::string bytes;
  *error = lock_and_read(adoption->fd_, path, owner, &bytes);
  if (*error != ReadError::kNone) return nullptr;
  *error = parse(bytes, &adoption->contents_);
  if (*error == ReadError::kNewer) return nullptr;
  return adoption;
}

ReadError Adoption::read_again() {
  std::string bytes;
  struct stat file {};
  if (::fstat(fd_, &file) != 0 ||
      !read_all(fd_, std::min<std::size_t>(static_cast<std::size_t>(file.st_size), kBytesMax), &bytes))
    return ReadError::kUnreadable;
  return parse(bytes, &contents_);
}

Adoption::~Adoption() {
  if (fd_ >= 0) ::close(fd_);
}

bool Adoption::producer_alive() const { return is_alive(contents_.producer, path_.substr(path_.rfind('/') + 1)); }

void Adoption::remove_file() noexcept {
  struct stat file {};
  if (::fstat(fd_, &file) == 0 && still_names(path_, file)) ::unlink(path_.c_str());
}

}  // namespace kleptometrics::journal
