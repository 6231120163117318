#include "engine/protobuf.hpp"

#include <cstring>

namespace dml {
namespace {

template <class T> void append_fixed(std::string& bytes, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes.append(raw, sizeof value);
}

}  // namespace

void ProtobufMessage::real(unsigned field, double value) {
  key(field, 1);
  append_fixed(bytes_, value);
}

void ProtobufMessage::single(unsigned field, float value) {
  key(field, 5);
  append_fixed(bytes_, value);
}

void ProtobufMessage::reals(unsigned field, const std::vector<double>& values) {
  head(field, values.size() * sizeof(double));
  for (const double value : values) append_fixed(bytes_, value);
}

void ProtobufMessage::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
  bytes_ += static_cast<char>(value);
}

}  // namespace dml
