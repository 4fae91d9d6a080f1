// The journal: where a program keeps the newest snapshot of each of its runs until the aggregator has it,
// so that neither a kill -9 of the program nor of the aggregator loses a run. One file a process in the
// spool directory, written by the client library through a shared mapping (no system call a record), read
// by the aggregator once its program is dead.
//
// FORMAT (little-endian, version 1). A head of 4,096 bytes, which is the same 2,048 bytes twice: magic
// "KLEPTOJ1", format version, size of the whole file, a random 8-byte key, pid, start ticks of the process
// (field 22 of /proc/PID/stat), boot id, inode of the pid namespace, name of the program; a CRC32C over all
// of it (offsets: format.cc); behind it the number of records that were dropped, which changes in place. Then units of
// 64 bytes. A record takes whole consecutive units: u32 mark
// ("LIVE" or "DEAD"), u32 length of the payload, u64 sequence (never 0), u32 flags (bit 0: terminal), u32
// CRC32C over key, sequence, flags, length and payload, then the payload. The mark is written last and is the
// only byte of a record ever changed in place, so a program killed at any instruction leaves each record
// whole or absent. Before free units are used again, the first 24 bytes of each are zeroed, so that no record
// that died there is ever seen again. A reader looks at every unit outside a whole live record for a mark
// with a matching CRC: damage costs the record it hits, and no other.
//
// An AREA is a place that its owner goes on writing to. It lies in units like a record, under the mark "OPEN"; its
// length is that of the whole area, its flags are the length of a fixed part in front, and its CRC covers key,
// sequence, flags, length and that fixed part alone. The rest, from the next multiple of 8 bytes, changes in place:
// what it says must prove itself.
//
// The file is preallocated (a sparse mapping would raise SIGBUS in the host on a full disk). Its writer holds
// a POSIX record lock (fcntl F_SETLK) on it for life: the kernel drops that at death, across pid namespaces,
// and a forked child does not inherit it. Such locks belong to the process: they do not hold against itself,
// and closing ANY descriptor of the file drops them. So a process must not open its own journal by other
// means, nor hold two Adoptions of one file.
//
// The payload is opaque here; the client library puts a PushRequest of one run into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kleptometrics::journal {

inline constexpr std::size_t kHeadBytes = 4096;
inline constexpr std::size_t kUnitBytes = 64;
inline constexpr std::size_t kRecordHeadBytes = 24;
inline constexpr std::size_t kBytesMax = 64U << 20U;            // of a file: larger ones are neither made nor read
inline constexpr std::string_view kSuffix = ".journal";         // of a journal in the spool
inline constexpr std::string_view kNewSuffix = ".journal-new";  // while its head is being written

// The process that writes a journal.
struct Producer {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t pid_namespace = 0;  // inode; 0: unknown
  std::string boot_id;              // text of /proc/sys/kernel/random/boot_id
  std::string program;              // file name of the executable
  static Producer self();           // of the calling process
};

// A record that is live: not yet superseded, acknowledged or dropped.
struct Record {
  std::uint64_t sequence = 0;  // rises with every append
  bool terminal = false;
  std::string payload;
};

// Handle of an appended record; 0 is "none". Never reused within a journal.
using Sequence = std::uint64_t;

// What stood in an area: the part that never changed, and the other as it was found.
struct AreaBytes {
  std::string fixed, open;
};

// Writes a journal. All calls are safe from any thread; none blocks on the disk after open. Without a file
// (open with an empty directory, or where the file cannot be made) the same structure lies in private
// memory: everything works but survives nothing.
//
// A forked child's copy is inert: nothing of its parent's is touched, stored, pending or counted, and what the copy
// holds is never freed.
class Writer {
 public:
  struct Options {
    std::string directory;  // must exist; empty: memory only
    // Of the whole file; from 64 KiB to kBytesMax (beyond: the nearer), rounded to pages.
    std::size_t bytes = 1U << 20U;
    std::size_t directory_bytes_max = 64U << 20U;  // all journals of the directory together
  };

  // Never fails: what went wrong with the file stands in `error` (untouched if nothing did) and the
  // writer keeps its records in memory. Null only if memory for that is not to be had either. `error` may be
  // null.
  static std::unique_ptr<Writer> open(const Options& options, std::string* error) noexcept;

  // Unmaps; leaves the file in place (see remove_file).
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Stores `payload` and then retires `supersedes` (the run's earlier record; 0: none), so that at every
  // instant at least one of the two is there. Where room is short, pending progress records (not terminal
  // ones) of other runs are dropped, oldest first, and counted; for a terminal record then delivered ones
  // too. Only those go whose place is needed, and none if even that does not help. Returns 0, retires
  // nothing, and counts a drop, if there is still no room or the payload exceeds what the journal can hold.
  // Takes no memory.
  Sequence append(std::string_view payload, bool terminal, Sequence supersedes) noexcept;

  // Retires a record that the aggregator has; a record already gone is fine.
  void retire(Sequence sequence) noexcept;
  // Marks as delivered but kept: the newest snapshot of a run still open, which whoever adopts this journal
  // must see.
  void delivered(Sequence sequence) noexcept;
  // Copies up to `count_max` records and `bytes_max` payload bytes not yet delivered, oldest first, with a
  // sequence above `after`. At least one, if there is any and count_max is not 0, whatever its size. Fewer if
  // memory is short. Appending goes on meanwhile: a record and the one that supersedes it may both be among
  // them.
  std::vector<Record> pending(Sequence after, std::size_t count_max, std::size_t bytes_max) const;

  // Makes an area with this fixed part. Its `open_bytes` more, zeros at first and aligned to 8, are the caller's to
  // write to, without a lock, until it gives them back or the writer ends. Null where there is no room: areas take up
  // to a quarter of the journal, and nothing is dropped for them. Takes no memory.
  char* reserve(std::string_view fixed, std::size_t open_bytes) noexcept;
  void release(char* open) noexcept;  // null is fine

  // True if what was recorded up to `upto` is not all delivered: neither itself nor in a record that took its place.
  bool pending_since(Sequence upto) const noexcept;
  std::size_t pending_count() const noexcept;  // records not yet delivered
  std::size_t live_count() const noexcept;     // pending ones, and delivered ones of open runs
  std::uint64_t dropped() const noexcept;      // records given up for want of room
  bool durable() const noexcept;               // a file stands behind it
  std::string path() const;                    // absolute; empty if not durable
  // Unlinks the file: at an orderly end. Records appended later live in memory only.
  void remove_file() noexcept;
  void remove_if_empty() noexcept;  // the same where live_count() is 0

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// What was found in a journal file.
struct Contents {
  Producer producer;
  std::vector<Record> records;   // live ones, by sequence
  std::vector<AreaBytes> areas;  // in no order
  std::uint64_t dropped = 0;     // records that its writer gave up for want of room
  std::size_t damaged = 0;       // marks of live records or areas whose CRC did not match; and 1 if the file was cut
};

enum class ReadError {
  kNone,
  kBusy,         // its writer still holds the lock
  kUnreadable,   // cannot be opened or read; not a regular file; not owned by `owner`; larger than kBytesMax;
                 // gone
  kDamagedHead,  // not a journal, or both copies of its head are damaged: records were still looked for, by
                 // their marks
  kNewer,        // a format version that this build does not know: leave the file alone
};

// Opens a journal for adoption and holds its lock, so that no one else adopts it. Never follows a
// symbolic link, never maps the file (it may be cut while read). One thread.
class Adoption {
 public:
  // `owner`: uid that must own the file. Never null for kNone and kDamagedHead (then with an empty producer);
  // null for all else. Not for the journal of this very process, nor for one it has adopted: see FORMAT on
  // locks.
  static std::unique_ptr<Adoption> open(const std::string& path, unsigned owner, ReadError* error);
  ~Adoption();  // releases the lock
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;

  const Contents& contents() const noexcept { return contents_; }
  // True if the program that wrote it is still there: same boot, same pid namespace, a process with its pid and start
  // ticks that has the journal mapped (where that may be seen). A host that closed all descriptors lost its lock but
  // lives; one that called exec is another program now.
  bool producer_alive() const;
  // Reads it once more, as open() does: a program without the lock may have written until it was seen to be dead.
  ReadError read_again();
  void remove_file() noexcept;  // after its records are committed

 private:
  Adoption() = default;
  int fd_ = -1;
  std::string path_;
  Contents contents_;
};

// What can be seen of a journal without taking part in it.
struct Glimpse {
  Producer producer;
  bool locked = false;       // somebody holds the lock: its writer, or who adopts it
  std::uint32_t holder = 0;  // their pid in our pid namespace; 0: nobody, or in a namespace that is not within ours
};
// Reads the head alone; its file is not written to, and its lock not taken (looking on is no event of closing a file
// that was open for writing). Errors as those of Adoption::open, never kBusy; `glimpse` is set for kNone, and for
// kDamagedHead with an empty producer. Not for journals as they are not for Adoption::open.
ReadError glimpse_at(const std::string& path, unsigned owner, Glimpse* glimpse);
// The same, reading all of it, as parse() does: a journal whose program goes on writing. Whole records alone are seen.
ReadError look_into(const std::string& path, unsigned owner, Contents* contents);

// Parses the bytes of a whole journal; what Adoption uses, and the fuzz target. Never reads outside `bytes`;
// work and memory are bounded by a multiple of their number. Returns kNone, kDamagedHead or kNewer.
ReadError parse(std::string_view bytes, Contents* contents);

}  // namespace kleptometrics::journal
