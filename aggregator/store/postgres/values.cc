#include "aggregator/store/postgres/values.h"

#include <utility>

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::int64_t kNull = -1;

std::size_t width_of(TypeId type) {
  switch (type) {
    case kBool:
      return 1;
    case kInt2:
      return 2;
    case kInt4:
      return 4;
    default:
      return 8;
  }
}

}  // namespace

void append_number(std::string& out, std::int64_t value, std::size_t bytes) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(bits >> (8 * i) & 0xff);
}

std::int64_t read_number(std::string_view bytes) {
  if (bytes.empty()) return 0;
  std::uint64_t bits = (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0 ? ~std::uint64_t{0} : 0;  // the sign
  for (const char c : bytes) bits = bits << 8U | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(bits);
}

void Array::add(std::int64_t number) {
  const std::size_t width = width_of(element_);
  append_number(elements_, static_cast<std::int64_t>(width), kLengthBytes);
  append_number(elements_, number, width);
  ++count_;
}

void Array::add(std::string_view bytes) {
  append_number(elements_, static_cast<std::int64_t>(bytes.size()), kLengthBytes);
  elements_ += bytes;
  ++count_;
}

void Array::add_null() {
  append_number(elements_, kNull, kLengthBytes);
  nulls_ = true;
  ++count_;
}

std::string Array::encoded() const {
  std::string out;
  append_number(out, count_ == 0 ? 0 : 1, 4);  // dimensions
  append_number(out, nulls_ ? 1 : 0, 4);
  append_number(out, element_, 4);
  if (count_ == 0) return out;
  append_number(out, static_cast<std::int64_t>(count_), 4);
  append_number(out, 1, 4);  // the first index
  return out + elements_;
}

Values& Values::number(TypeId type, std::int64_t value, std::size_t bytes) {
  std::string out;
  append_number(out, value, bytes);
  return add(type, std::move(out));
}

Values& Values::add(TypeId type, std::string value) {
  types_.push_back(type);
  values_.push_back(std::move(value));
  nulls_.push_back(false);
  return *this;
}

Values& Values::null(TypeId type) {
  add(type, "");
  nulls_.back() = true;
  return *this;
}

std::vector<const char*> Values::pointers() const {
  std::vector<const char*> pointers;
  for (std::size_t i = 0; i < values_.size(); ++i) pointers.push_back(nulls_[i] ? nullptr : values_[i].data());
  return pointers;
}

std::vector<int> Values::lengths() const {
  std::vector<int> lengths;
  for (const std::string& value : values_) lengths.push_back(static_cast<int>(value.size()));
  return lengths;
}

CopyRows::CopyRows() : out_("PGCOPY\n\377\r\n\0", 11) {
  append_number(out_, 0, 4);  // flags
  append_number(out_, 0, 4);  // no extension
}

void CopyRows::begin_row(std::size_t columns) { append_number(out_, static_cast<std::int64_t>(columns), 2); }

void CopyRows::number(std::int64_t value, std::size_t bytes) {
  append_number(out_, static_cast<std::int64_t>(bytes), kLengthBytes);
  append_number(out_, value, bytes);
}

void CopyRows::bytes(std::string_view value) {
  append_number(out_, static_cast<std::int64_t>(value.size()), kLengthBytes);
  out_ += value;
}

void CopyRows::null() { append_number(out_, kNull, kLengthBytes); }

std::string CopyRows::finish() && {
  append_number(out_, -1, 2);
  return std::move(out_);
}

}  // namespace kleptometrics::aggregator::postgres
