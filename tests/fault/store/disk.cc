#include "tests/fault/store/disk.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace kleptometrics::fault {
namespace {

constexpr std::uint64_t kSector = 512;
// The first sync of a log or journal makes the names of its folder durable, too: so does the system's VFS.
constexpr int kSyncsNames = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;

void play(std::string& bytes, std::uint64_t at, const char* from, std::uint64_t length) {
  if (bytes.size() < at + length) bytes.resize(at + length);
  std::memcpy(bytes.data() + at, from, length);
}

}  // namespace

// As SQLite holds an open file: it has made room of this size.
struct Disk::File {
  sqlite3_file base;
  Disk* disk;
  ContentPtr content;
  int level;         // of locks
  bool syncs_names;  // at its next sync
};

// SQLite's calls, each handed to the disk of its file.
struct Disk::Calls {
  static File& file_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static Content& of(sqlite3_file* file) { return *file_of(file).content; }
  static Disk& disk_of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* const made =
        new (file) File{{&kMethods}, &disk_of(vfs), nullptr, SQLITE_LOCK_NONE, (flags & kSyncsNames) != 0};
    if (out_flags != nullptr) *out_flags = flags;
    const int code = disk_of(vfs).open(name, *made);
    if (code != SQLITE_OK) {
      made->~File();
      file->pMethods = nullptr;
    }
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int durably) { return disk_of(vfs).remove(name, durably != 0); }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
    const auto found = disk_of(vfs).names_.find(name);
    *answer = found != disk_of(vfs).names_.end() && (flags != SQLITE_ACCESS_EXISTS || !found->second->now.empty());
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static int close(sqlite3_file* file) {
    (void)unlock(file, SQLITE_LOCK_NONE);
    file_of(file).~File();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* to, int length, sqlite3_int64 at) {
    return file_of(file).disk->read(of(file), to, static_cast<std::uint64_t>(length), static_cast<std::uint64_t>(at));
  }
  static int write(sqlite3_file* file, const void* from, int length, sqlite3_int64 at) {
    return file_of(file).disk->write(of(file), from, static_cast<std::uint64_t>(length),
                                     static_cast<std::uint64_t>(at));
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 length) {
    return file_of(file).disk->cut(of(file), static_cast<std::uint64_t>(length));
  }
  static int sync(sqlite3_file* file, int) { return file_of(file).disk->sync(file_of(file)); }
  static int size(sqlite3_file* file, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(of(file).now.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file* file, int level);
  static int unlock(sqlite3_file* file, int level);
  static int reserved(sqlite3_file* file, int* out) {
    *out = of(file).reserved != nullptr;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }                                  // as the system's VFS
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }  // likewise
  static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out);
  static int shm_lock(sqlite3_file* file, int first, int count, int flags);
  static void shm_barrier(sqlite3_file*) {}
  static int shm_unmap(sqlite3_file* file, int remove) {
    if (remove != 0) of(file).regions.clear();
    return SQLITE_OK;
  }

  static const sqlite3_io_methods kMethods;
};

const sqlite3_io_methods Disk::Calls::kMethods = {
    2,           close,           read,    write,    truncate,    sync,      size,    lock,   unlock, reserved, control,
    sector_size, characteristics, shm_map, shm_lock, shm_barrier, shm_unmap, nullptr, nullptr};

int Disk::Calls::lock(sqlite3_file* base, int level) {
  File& file = file_of(base);
  Content& content = *file.content;
  const auto others = [&](const void* holder) { return holder != nullptr && holder != base; };
  if (level <= file.level) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (others(content.pending) || others(content.exclusive)) return SQLITE_BUSY;
    ++content.shared;
    file.level = level;
    return SQLITE_OK;
  }
  if (others(content.reserved) || others(content.pending) || others(content.exclusive)) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_RESERVED) {
    content.reserved = base;
    file.level = level;
    return SQLITE_OK;
  }
  content.pending = base;
  file.level = SQLITE_LOCK_PENDING;
  if (content.shared > 1) return SQLITE_BUSY;
  content.exclusive = base;
  file.level = level;
  return SQLITE_OK;
}

int Disk::Calls::unlock(sqlite3_file* base, int level) {
  File& file = file_of(base);
  Content& content = *file.content;
  if (file.level <= level) return SQLITE_OK;
  for (const void** const holder : {&content.reserved, &content.pending, &content.exclusive})
    if (*holder == base) *holder = nullptr;
  if (level == SQLITE_LOCK_NONE && file.level >= SQLITE_LOCK_SHARED) --content.shared;
  file.level = level;
  return SQLITE_OK;
}

int Disk::Calls::shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  auto& regions = of(file).regions;
  const auto wanted = static_cast<std::size_t>(region);
  while (regions.size() <= wanted && extend != 0)
    regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
  *out = regions.size() <= wanted ? nullptr : regions[wanted].get();
  return SQLITE_OK;
}

int Disk::Calls::shm_lock(sqlite3_file* file, int first, int count, int flags) {
  Content& content = of(file);
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (int at = first; at < first + count && (flags & SQLITE_SHM_LOCK) != 0; ++at) {
    if (content.writers[at] != nullptr && content.writers[at] != file) return SQLITE_BUSY;
    if (exclusive && content.readers[at] != 0) return SQLITE_BUSY;
  }
  for (int at = first; at < first + count; ++at) {
    if (exclusive) {
      content.writers[at] = (flags & SQLITE_SHM_LOCK) != 0 ? file : nullptr;
    } else {
      content.readers[at] += (flags & SQLITE_SHM_LOCK) != 0 ? 1 : -1;
    }
  }
  return SQLITE_OK;
}

Disk::Disk(std::string name) : name_(std::move(name)) {
  // Time and randomness are the system's.
  vfs_ = std::make_unique<sqlite3_vfs>(*sqlite3_vfs_find(nullptr));
  vfs_->szOsFile = sizeof(File);
  vfs_->pNext = nullptr;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = Calls::open;
  vfs_->xDelete = Calls::remove;
  vfs_->xAccess = Calls::access;
  vfs_->xFullPathname = Calls::full_path;
  sqlite3_vfs_register(vfs_.get(), 0);
}

Disk::~Disk() { sqlite3_vfs_unregister(vfs_.get()); }

void Disk::format(std::uint64_t seed) {
  names_.clear();
  synced_names_.clear();
  random_.seed(seed);
  on_ = true;
  counting_ = bad_sync_ = lies_ = false;
  done_ = 0;
  room_.reset();
}

void Disk::lose_power_after(std::uint64_t operations, bool reads) {
  counting_ = true;
  counting_reads_ = reads;
  left_ = operations;
}

Disk::Power Disk::power(bool read) {
  if (!on_) return Power::kOff;
  done_ += read ? 0 : 1;
  if (!counting_ || (read && !counting_reads_)) return Power::kOn;
  if (left_-- != 0) return Power::kOn;
  on_ = false;
  return Power::kGoes;
}

int Disk::open(const char* name, File& file) {
  if (!on_) return SQLITE_CANTOPEN;
  if (name == nullptr) {
    file.content = std::make_shared<Content>();
    return SQLITE_OK;
  }
  const std::string given(name);
  ContentPtr& content = names_[given];
  if (content == nullptr) {
    content = std::make_shared<Content>();
    // The store makes the file of the database before SQLite opens it, and its name durable.
    if (!given.ends_with("-wal") && !given.ends_with("-journal")) synced_names_[given] = content;
  }
  file.content = content;
  return SQLITE_OK;
}

int Disk::remove(const std::string& name, bool durably) {
  const Power power = this->power();
  if (power == Power::kOff) return SQLITE_IOERR_DELETE;
  if (names_.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
  if (power == Power::kGoes) return SQLITE_IOERR_DELETE;
  if (durably && !lies_) sync_names();
  return SQLITE_OK;
}

int Disk::read(const Content& content, void* to, std::uint64_t length, std::uint64_t at) {
  if (power(true) != Power::kOn) return SQLITE_IOERR_READ;
  const std::uint64_t there = at >= content.now.size() ? 0 : std::min(length, content.now.size() - at);
  if (there != 0) std::memcpy(to, content.now.data() + at, there);
  if (there == length) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + there, 0, length - there);
  return SQLITE_IOERR_SHORT_READ;
}

int Disk::write(Content& content, const void* from, std::uint64_t length, std::uint64_t at) {
  const Power power = this->power();
  if (power == Power::kOff) return SQLITE_IOERR_WRITE;
  const std::uint64_t more = at + length > content.now.size() ? at + length - content.now.size() : 0;
  if (room_ && more > *room_) return SQLITE_FULL;
  if (room_) *room_ -= more;
  const auto* const bytes = static_cast<const char*>(from);
  content.since.push_back({at, std::string(bytes, length), false});
  play(content.now, at, bytes, length);
  return power == Power::kOn ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int Disk::cut(Content& content, std::uint64_t length) {
  const Power power = this->power();
  if (power == Power::kOff) return SQLITE_IOERR_TRUNCATE;
  content.since.push_back({length, {}, true});
  content.now.resize(length);
  return power == Power::kOn ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int Disk::sync(File& file) {
  const Power power = this->power();
  if (power == Power::kOff) return SQLITE_IOERR_FSYNC;
  if (std::exchange(bad_sync_, false)) return SQLITE_IOERR_FSYNC;
  const bool done = !lies_ && (power == Power::kOn || below(2) == 0);
  if (done) {
    if (std::exchange(file.syncs_names, false)) sync_names();
    Content& content = *file.content;
    for (const Change& change : content.since) {
      if (change.cut) {
        content.synced.resize(change.at);
      } else {
        play(content.synced, change.at, change.bytes.data(), change.bytes.size());
      }
    }
    content.since.clear();
  }
  return power == Power::kOn ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

void Disk::restart(After after) {
  if (after == After::kPowerLoss) {
    std::map<std::string, ContentPtr> found;
    std::map<std::string, ContentPtr> all = names_;
    all.insert(synced_names_.begin(), synced_names_.end());
    for (const auto& [name, content] : all) {
      const auto& source = below(2) == 0 ? names_ : synced_names_;
      const auto at = source.find(name);
      if (at != source.end()) found.insert(*at);
    }
    names_ = found;
    sync_names();
    for (const auto& [name, content] : names_) recover(*content);
  }
  for (const auto& [name, content] : names_) content->regions.clear();
  counting_ = bad_sync_ = false;
  on_ = true;
}

// Of all that was not synced nothing, everything, or each piece by itself.
void Disk::recover(Content& content) {
  enum : std::uint64_t { kNone, kAll, kInOrder };  // and in any order
  const std::uint64_t kind = below(6);
  std::string bytes = content.synced;
  if (kind > kInOrder) std::shuffle(content.since.begin(), content.since.end(), random_);
  for (const Change& change : content.since) {
    const std::uint64_t fate = kind == kNone ? 0 : kind == kAll ? 1 : below(3);
    if (fate == 0) continue;
    if (change.cut) {
      bytes.resize(change.at);
    } else if (fate == 1) {
      play(bytes, change.at, change.bytes.data(), change.bytes.size());
    } else {
      play_torn(change, bytes);
    }
  }
  content.since.clear();
  content.synced = content.now = std::move(bytes);
}

// Some of the sectors that the write touches.
void Disk::play_torn(const Change& change, std::string& bytes) {
  const std::uint64_t end = change.at + change.bytes.size();
  for (std::uint64_t from = change.at; from < end;) {
    const std::uint64_t to = std::min(end, (from / kSector + 1) * kSector);
    if (below(2) == 0) play(bytes, from, change.bytes.data() + (from - change.at), to - from);
    from = to;
  }
}

}  // namespace kleptometrics::fault
