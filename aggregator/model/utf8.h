// What a text from strangers may be: strict UTF-8 (RFC 3629), and for names without control characters. Pure
// functions, any thread. Used by validate(), and by whoever has to show a text that it refuses.
#pragma once

#include <string>
#include <string_view>

namespace kleptometrics::aggregator {

// True for the empty text. Overlong forms, surrogates and anything above U+10FFFF are not UTF-8.
bool valid_utf8(std::string_view text) noexcept;

// True if a byte below 0x20 or 0x7f occurs.
bool has_control(std::string_view text) noexcept;

// The text in backquotes, fit for an error message: always printable UTF-8 of at most 250 bytes. Control
// characters, and all bytes beyond ASCII of a text that is not UTF-8 or too long, are written \xNN.
std::string quoted(std::string_view text);

}  // namespace kleptometrics::aggregator
