// A disk for SQLite that can lose its power: a VFS whose files lie in memory, where what was written since the last
// sync is kept apart. When the power comes back, of that some is there, some is not, some is torn at the borders of
// sectors, in any order: what a real disk may do at worst. Shared memory is gone then, as it is when a process is
// killed.
//
// One thread. The files that the store itself makes beside SQLite (its lock) lie on the real disk.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace kleptometrics::fault {

class Disk {
 public:
  // Registers the VFS `name`, as long as it lives. An empty disk.
  explicit Disk(std::string name);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  const std::string& vfs() const { return name_; }
  // Empty again, with power, room and honest syncs; nothing of it may be open. What follows is decided by `seed`.
  void format(std::uint64_t seed);

  // The power goes within the operation that has so many before it: writes, syncs, cuts and deletions, with `reads`
  // those, too. From then on everything fails.
  void lose_power_after(std::uint64_t operations, bool reads = false);
  void lose_power() { on_ = false; }  // now
  // Forgets the faults that were to come.
  void be_good() {
    counting_ = bad_sync_ = false;
    room_.reset();
  }
  bool on() const { return on_; }
  std::uint64_t operations() const { return done_; }
  // After whoever had files open has closed them. kPowerLoss: see above; kKill: only the process was gone, so that all
  // that was written is there.
  enum class After { kPowerLoss, kKill };
  void restart(After after);

  // Files grow by so many bytes more, then the disk is full. Absent: no bound.
  void leave_room(std::optional<std::uint64_t> bytes) { room_ = bytes; }
  // The next sync fails.
  void fail_sync() { bad_sync_ = true; }
  // Syncs answer that all is well and do nothing: the mistake of the control.
  void lie_about_syncs() { lies_ = true; }

 private:
  struct Change {
    std::uint64_t at = 0;  // of what was written; length of what was cut
    std::string bytes;
    bool cut = false;
  };
  struct Content {
    std::string now;
    std::string synced;
    std::vector<Change> since;  // what made `now` of `synced`
    // Locks of the connections, as SQLite asks for them.
    int shared = 0;
    const void* reserved = nullptr;
    const void* pending = nullptr;
    const void* exclusive = nullptr;
    // The shared memory of a log, and its locks.
    std::vector<std::unique_ptr<char[]>> regions;
    int readers[SQLITE_SHM_NLOCK] = {};
    const void* writers[SQLITE_SHM_NLOCK] = {};
  };
  using ContentPtr = std::shared_ptr<Content>;
  struct File;
  struct Calls;
  enum class Power { kOn, kGoes, kOff };

  Power power(bool read = false);
  int open(const char* name, File& file);
  int remove(const std::string& name, bool durably);
  int read(const Content& content, void* to, std::uint64_t length, std::uint64_t at);
  int write(Content& content, const void* from, std::uint64_t length, std::uint64_t at);
  int cut(Content& content, std::uint64_t length);
  int sync(File& file);
  void sync_names() { synced_names_ = names_; }
  void recover(Content& content);
  void play_torn(const Change& change, std::string& bytes);
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  const std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, ContentPtr> names_;
  std::map<std::string, ContentPtr> synced_names_;
  std::mt19937_64 random_;
  bool on_ = true;
  bool counting_ = false, counting_reads_ = false;
  std::uint64_t left_ = 0;
  std::uint64_t done_ = 0;
  std::optional<std::uint64_t> room_;
  bool bad_sync_ = false;
  bool lies_ = false;
};

}  // namespace kleptometrics::fault
