// OpenSSL at the end of a program. A host that uses OpenSSL, too, may have its cleanup called by exit(), while a worker
// thread of ours is still in the middle of a record; whatever comes then reads memory that is gone. So everything of
// ours passes a gate on its way into OpenSSL, and the last act of ours at exit closes it: what is inside comes out
// first, and nothing goes in again.
#pragma once

namespace kleptometrics::tls {

// Before anything else here: asks OpenSSL to leave out its own cleanup at exit, where nobody has asked it for anything
// yet. Cheap, any thread, as often as one likes.
void prepare() noexcept;

// Held while in OpenSSL, never for longer than the processor works. Any thread.
class [[nodiscard]] Pass {
 public:
  Pass() noexcept;
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  explicit operator bool() const noexcept { return passed_; }  // false: the gate is closed

 private:
  bool passed_ = false;
};

// For good, but for a forked child, which has a gate of its own. Waits for those inside, a second at most.
void close_gate() noexcept;

// A thread that used TLS is about to end: OpenSSL forgets it. Where the gate is closed it does not return, as the
// program is exiting and the thread's end would go through OpenSSL.
void leave_thread() noexcept;

}  // namespace kleptometrics::tls
