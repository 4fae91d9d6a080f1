// Values on their way to a statement and back, in PostgreSQL's binary form (its documentation, "COPY", "Binary Format",
// and the send and receive functions of the types): numbers in network order, arrays of one dimension without NULLs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::postgres {

// Numbers of types, as pg_type has them.
using TypeId = unsigned int;
inline constexpr TypeId kBool = 16, kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kUuid = 2950;
inline constexpr TypeId kByteaArray = 1001, kInt2Array = 1005, kInt4Array = 1007, kTextArray = 1009, kInt8Array = 1016,
                        kUuidArray = 2951;

void append_number(std::string& out, std::int64_t value, std::size_t bytes);
std::int64_t read_number(std::string_view bytes);  // of 1 to 8

// An array that grows element by element; `bytes` of each are fixed for numbers.
class Array {
 public:
  Array(TypeId type, TypeId element) : type_(type), element_(element) {}
  static Array int2() { return {kInt2Array, kInt2}; }
  static Array int4() { return {kInt4Array, kInt4}; }
  static Array int8() { return {kInt8Array, kInt8}; }
  static Array uuids() { return {kUuidArray, kUuid}; }
  static Array byteas() { return {kByteaArray, kBytea}; }
  static Array texts() { return {kTextArray, kText}; }

  void add(std::int64_t number);
  void add(std::string_view bytes);
  void add(const Uuid& id) { add(id.view()); }
  void add_null();
  std::size_t size() const { return count_; }
  TypeId type() const { return type_; }
  std::string encoded() const;

 private:
  TypeId type_, element_;
  std::size_t count_ = 0;
  bool nulls_ = false;
  std::string elements_;
};

// The parameters of a statement, $1 first.
class Values {
 public:
  Values() = default;
  Values& int2(std::int64_t value) { return number(kInt2, value, 2); }
  Values& int4(std::int64_t value) { return number(kInt4, value, 4); }
  Values& int8(std::int64_t value) { return number(kInt8, value, 8); }
  Values& boolean(bool value) { return number(kBool, value ? 1 : 0, 1); }
  Values& text(std::string_view value) { return add(kText, std::string(value)); }
  Values& bytea(std::string_view value) { return add(kBytea, std::string(value)); }
  Values& uuid(const Uuid& id) { return add(kUuid, std::string(id.view())); }
  Values& array(const Array& array) { return add(array.type(), array.encoded()); }
  Values& null(TypeId type);

  std::size_t size() const { return types_.size(); }
  const std::vector<TypeId>& types() const { return types_; }
  // As libpq takes them: they point into this.
  std::vector<const char*> pointers() const;
  std::vector<int> lengths() const;

 private:
  Values& number(TypeId type, std::int64_t value, std::size_t bytes);
  Values& add(TypeId type, std::string value);

  std::vector<TypeId> types_;
  std::vector<std::string> values_;
  std::vector<bool> nulls_;
};

// Rows for COPY … FROM STDIN (FORMAT binary).
class CopyRows {
 public:
  CopyRows();
  void begin_row(std::size_t columns);
  void number(std::int64_t value, std::size_t bytes);
  void bytes(std::string_view value);
  void uuid(const Uuid& id) { bytes(id.view()); }
  void null();
  std::string finish() &&;

 private:
  std::string out_;
};

}  // namespace kleptometrics::aggregator::postgres
