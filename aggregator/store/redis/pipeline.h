// Commands on their way to the server, in its protocol (RESP 2, https://redis.io/docs/reference/protocol-spec): many at
// once, so that one round trip serves them all. Values; one thread at a time.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace kleptometrics::aggregator::redis {

// One command whose arguments are counted as they come.
class Command {
 public:
  template <typename... Args>
  explicit Command(const Args&... args) {
    (add(args), ...);
  }
  Command& add(std::string_view text) {
    header('$', text.size());
    bytes_.append(text).append("\r\n");
    ++count_;
    return *this;
  }
  Command& add(const char* text) { return add(std::string_view(text)); }
  Command& add(const std::string& text) { return add(std::string_view(text)); }
  template <std::integral Number>
  Command& add(Number number) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof text, number).ptr;
    return add(std::string_view(text, static_cast<std::size_t>(end - text)));
  }
  // All arguments of the other, its name too.
  Command& add(const Command& others) {
    bytes_ += others.bytes_;
    count_ += others.count_;
    return *this;
  }
  std::size_t count() const { return count_; }

 private:
  friend class Pipeline;
  void header(char kind, std::size_t number) {
    char text[24];
    text[0] = kind;
    char* end = std::to_chars(text + 1, text + sizeof text - 2, number).ptr;
    *end++ = '\r';
    *end++ = '\n';
    bytes_.append(text, static_cast<std::size_t>(end - text));
  }

  std::string bytes_;
  std::size_t count_ = 0;
};

class Pipeline {
 public:
  // Requires a command that has a name.
  void add(const Command& command) {
    char text[24];
    text[0] = '*';
    char* end = std::to_chars(text + 1, text + sizeof text - 2, command.count_).ptr;
    *end++ = '\r';
    *end++ = '\n';
    bytes_.append(text, static_cast<std::size_t>(end - text)).append(command.bytes_);
    ++commands_;
  }
  template <typename... Args>
  void add(std::string_view name, const Args&... args) {
    add(Command(name, args...));
  }
  std::size_t commands() const { return commands_; }
  const std::string& bytes() const { return bytes_; }
  bool empty() const { return commands_ == 0; }

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

}  // namespace kleptometrics::aggregator::redis
