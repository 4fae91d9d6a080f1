#include "lib/cells/areas.h"

#include <cstring>

namespace kleptometrics::cells {
namespace {

constexpr std::size_t kHeadBytes = 32;
constexpr std::size_t kOctaveAt = 4;
constexpr std::size_t kCellAt = 8;
constexpr std::size_t kRunAt = 16;

}  // namespace

std::string AreaName::encode() const {
  std::string out(kHeadBytes, '\0');
  out[0] = static_cast<char>(kind);
  std::memcpy(out.data() + kOctaveAt, &octave, sizeof octave);
  std::memcpy(out.data() + kCellAt, &cell, sizeof cell);
  std::memcpy(out.data() + kRunAt, run.bytes.data(), run.bytes.size());
  return out.append(name);
}

std::optional<AreaName> AreaName::parse(std::string_view fixed) noexcept {
  if (fixed.size() < kHeadBytes) return std::nullopt;
  AreaName out;
  out.kind = static_cast<AreaKind>(fixed[0]);
  std::memcpy(&out.octave, fixed.data() + kOctaveAt, sizeof out.octave);
  std::memcpy(&out.cell, fixed.data() + kCellAt, sizeof out.cell);
  std::memcpy(out.run.bytes.data(), fixed.data() + kRunAt, out.run.bytes.size());
  out.name = fixed.substr(kHeadBytes);
  return out;
}

}  // namespace kleptometrics::cells
