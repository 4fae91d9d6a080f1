// What happens in the spool directories, by inotify(7): journals that come, that their writers let go of, that go, and
// sub-directories that come. For the spool watcher. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "aggregator/base/unique_fd.h"

namespace kleptometrics::aggregator {

class SpoolEvents {
 public:
  struct Event {
    enum class Kind {
      kCame,       // a file has its name
      kLetGo,      // nobody has it open for writing any more: its program ended, or called exec
      kWent,       // a file is gone
      kDirectory,  // a sub-directory came
    };
    Kind kind = Kind::kCame;
    std::string directory, name;
  };

  SpoolEvents();  // where inotify is not to be had it never tells anything

  // Not valid() if there is no inotify: then whoever uses it looks for himself. Readable when there is something.
  const UniqueFd& fd() const { return fd_; }

  // Tells of that directory from now on; again is fine. False if it cannot be watched: it is not there, is no
  // directory, or a symbolic link; or there are too many watches.
  bool watch(const std::string& directory);

  // Takes what has happened, in order; never waits. False if something may have been missed (the queue was full, a
  // directory went): look at everything, and watch() again.
  bool take(std::vector<Event>& events);

 private:
  bool take_some(const char* bytes, std::size_t size, std::vector<Event>& events);

  UniqueFd fd_;
  std::map<int, std::string> directories_;  // by watch descriptor
};

}  // namespace kleptometrics::aggregator
