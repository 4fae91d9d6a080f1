// Takes over the journal of a program that is gone: what it recorded and could not deliver is committed, and a run that
// it left open gets its verdict (adopted.h). For the spool watcher. One thread.
//
// Changes state only through the committer. A journal is removed after everything in it is committed, so
// an aggregator killed in between does the same again, to the same effect.
#pragma once

#include <set>
#include <string>

#include "aggregator/ingest/committer.h"
#include "aggregator/watch/adopted.h"
#include "lib/journal/journal.h"

namespace kleptometrics::aggregator {

class Adopter {
 public:
  explicit Adopter(Committer& committer) : committer_(committer) {}  // borrowed

  enum class Done {
    kAdopted,  // and removed
    kLater,    // try again: somebody has its lock, its program lives after all, or the store cannot commit now
    kLeft,     // not for us: another's, damaged beyond reading, of a newer format; or gone
  };
  // `owner`: who must own the file. Logs what is wrong with it, once a file.
  Done adopt(const std::string& path, unsigned owner, const End& end);

  // Says why a journal is left alone, once a file. A file that is gone by now is no trouble.
  void complain(const std::string& path, journal::ReadError error);
  void forget(const std::string& path) { complained_.erase(path); }  // it is gone

 private:
  bool commit(Adopted adopted, const journal::Producer& producer, const std::string& path);
  void complain_once(const std::string& path, const std::string& why);

  Committer& committer_;
  std::set<std::string> complained_;  // journals whose trouble is in the log
};

}  // namespace kleptometrics::aggregator
