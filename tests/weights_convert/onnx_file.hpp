#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.hpp"

namespace dml::testing {

/// A field of a message of protocol buffers.
struct Field {
  unsigned number = 0, wire = 0;
  std::uint64_t value = 0;   ///< of wire types 0 and 5
  std::string_view bytes{};  ///< of wire type 2
  std::string text() const { return std::string(bytes); }
};

/// The fields of a message in their order; the test fails where it is malformed.
inline std::vector<Field> fields_of(std::string_view message) {
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      REQUIRE(at < message.size());
      const auto byte = static_cast<unsigned char>(message[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
  };
  std::vector<Field> all;
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field field{.number = static_cast<unsigned>(key >> 3U),
                .wire = static_cast<unsigned>(key & 7U)};
    REQUIRE((field.wire == 0 || field.wire == 2 || field.wire == 5));
    if (field.wire == 0) {
      field.value = varint();
    } else {
      const std::size_t size = field.wire == 5 ? 4 : varint();
      REQUIRE(size <= message.size() - at);
      field.bytes = message.substr(at, size);
      if (field.wire == 5) std::memcpy(&field.value, field.bytes.data(), 4);
      at += size;
    }
    all.push_back(field);
  }
  return all;
}

/// A node as it stands in an ONNX file.
struct OnnxNode {
  std::string type, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::vector<double>> attributes{};
};

/// What is read back of an ONNX file, by the numbers of fields in onnx.proto.
struct OnnxFile {
  std::int64_t representation = 0, operators = 0;
  std::string graph;
  std::vector<OnnxNode> nodes{};
  std::map<std::string, Tensor> weights{};
  std::map<std::string, std::string> inputs{}, outputs{};  ///< name to "batch,3,64,64"
  std::map<std::string, std::string> metadata{};

  explicit OnnxFile(std::string_view file) {
    for (const Field& field : fields_of(file)) {
      if (field.number == 1) representation = static_cast<std::int64_t>(field.value);
      if (field.number == 7) read_graph(field.bytes);
      if (field.number == 8)
        for (const Field& one : fields_of(field.bytes))
          if (one.number == 2) operators = static_cast<std::int64_t>(one.value);
      if (field.number == 14) {
        const auto entry = fields_of(field.bytes);
        metadata[entry.at(0).text()] = entry.at(1).text();
      }
    }
  }

 private:
  void read_graph(std::string_view message) {
    for (const Field& field : fields_of(message)) {
      if (field.number == 1) nodes.push_back(node_of(field.bytes));
      if (field.number == 2) graph = field.text();
      if (field.number == 5) read_weight(field.bytes);
      if (field.number == 11) read_value(field.bytes, inputs);
      if (field.number == 12) read_value(field.bytes, outputs);
    }
  }

  static OnnxNode node_of(std::string_view message) {
    OnnxNode node;
    for (const Field& field : fields_of(message)) {
      if (field.number == 1) node.inputs.push_back(field.text());
      if (field.number == 2) node.outputs.push_back(field.text());
      if (field.number == 3) node.name = field.text();
      if (field.number == 4) node.type = field.text();
      if (field.number != 5) continue;
      std::string name;
      std::vector<double> values;
      for (const Field& part : fields_of(field.bytes)) {
        if (part.number == 1) name = part.text();
        if (part.number == 2) {
          float real = 0;
          std::memcpy(&real, part.bytes.data(), sizeof real);
          values.push_back(real);
        }
        if (part.number == 3 || part.number == 8)
          values.push_back(static_cast<double>(static_cast<std::int64_t>(part.value)));
      }
      node.attributes[name] = values;
    }
    return node;
  }

  void read_weight(std::string_view message) {
    Shape shape;
    std::string name;
    std::string_view raw;
    for (const Field& field : fields_of(message)) {
      if (field.number == 1) shape.push_back(static_cast<std::int64_t>(field.value));
      if (field.number == 2) CHECK(field.value == 1);  // float
      if (field.number == 8) name = field.text();
      if (field.number == 9) raw = field.bytes;
    }
    Tensor tensor(shape, DType::f32);
    REQUIRE(tensor.bytes() == raw.size());
    std::memcpy(tensor.raw_bytes(), raw.data(), raw.size());
    CHECK(weights.emplace(name, tensor).second);
  }

  static void read_value(std::string_view message, std::map<std::string, std::string>& into) {
    const auto value = fields_of(message);
    const auto tensor = fields_of(fields_of(value.at(1).bytes).at(0).bytes);
    CHECK(tensor.at(0).value == 1);  // float
    std::string shape;
    for (const Field& dimension : fields_of(tensor.at(1).bytes)) {
      const Field size = fields_of(dimension.bytes).at(0);
      shape += (shape.empty() ? "" : ",");
      shape += size.number == 2 ? size.text() : std::to_string(size.value);
    }
    into[value.at(0).text()] = shape;
  }
};

}  // namespace dml::testing
