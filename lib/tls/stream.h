// One TLS connection over a socket that does not block. Nothing here waits: what cannot go on says what it waits for.
// Never raises SIGPIPE. Used by the side that connects and by the one that listens.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/tls/context.h"

extern "C" {
struct ssl_st;
}

namespace kleptometrics::tls {

enum class Status {
  kDone,
  kWantRead,   // again when the socket is readable
  kWantWrite,  // again when it is writable
  kClosed,     // the peer has said that it is done
  kFailed,     // error() says why; nothing more is possible
};

struct Progress {
  Status status = Status::kFailed;
  std::size_t bytes = 0;  // read or written; above 0 where kDone
};

// One thread at a time; different ones, if they hand it on.
class Stream {
 public:
  // A client's, to `host`: a name or an IP address, for which the certificate must be. Borrows the socket.
  static std::unique_ptr<Stream> to(const Context& context, int socket, const std::string& host);
  // A server's. `first`: what was read from the socket already, at most kHelloBytes. Null without memory.
  static std::unique_ptr<Stream> from(const Context& context, int socket, std::string_view first);

  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Before all else, until it is kDone.
  Progress handshake();
  // Never more than one record, so kDone does not mean that nothing is left.
  Progress read(char* into, std::size_t bytes);
  // Of what was not written the same bytes must be given again; where they lie does not matter.
  Progress write(const char* from, std::size_t bytes);
  // Says that nothing more comes, if that goes at once. The peer may still send.
  void finish();

  // Of the last kFailed: a few words.
  const std::string& error() const { return error_; }

 private:
  struct Wire;
  Stream(ssl_st* ssl, std::unique_ptr<Wire> wire);
  static std::unique_ptr<Stream> make(const Context& context, int socket, std::string_view first);
  Progress done(int result, std::size_t bytes);
  void explain(int kind);

  ssl_st* ssl_;
  std::unique_ptr<Wire> wire_;
  std::string error_;
};

}  // namespace kleptometrics::tls
