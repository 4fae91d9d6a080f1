// The file of keys on disk. As of sshd's lists of keys: nobody but its owner may write to it, since whoever can add a
// line can do everything. It holds hashes alone, so that others may read it is no danger, but told.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/keys/key_ring.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::keys {

// Errors are one line that names the file: NotFound, PermissionDenied where others may write to it or it is another
// user's (root's are fine), InvalidArgument as KeyRing::parse has it, or of more than 1 MiB.
absl::StatusOr<KeyRing> read_key_file(const std::string& path);

// The file that a running aggregator goes by. Any thread.
class KeyFile {
 public:
  // As read_key_file() has it. That others may read it is logged.
  static absl::StatusOr<std::unique_ptr<KeyFile>> open(const std::string& path);

  // Reads it again. Where that fails the keys stay as they were.
  absl::Status reload();
  std::shared_ptr<const KeyRing> ring() const;

 private:
  explicit KeyFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  mutable Mutex mutex_;
  std::shared_ptr<const KeyRing> ring_ KLEPTO_GUARDED_BY(mutex_);
};

// Makes a key and adds its line to the file, which is made (0600) if it is not there; with an empty path to none. The
// only time that the key is seen: `line` is what is kept of it.
struct NewKey {
  std::string key, line;
};
absl::StatusOr<NewKey> add_key(const std::string& path, const std::string& name, Scope scope);

// PermissionDenied, with a line that names it, where a file of secrets (a private key) is open to others: whoever may
// not belong to its group may read it, or its group may write to it.
absl::Status check_secret_file(const std::string& path);

}  // namespace kleptometrics::aggregator::keys
