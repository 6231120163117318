#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "weights_convert/weights.hpp"

namespace dml::onnx {

/// A setting of a node.
struct Attribute {
  std::string name;
  std::variant<std::int64_t, double, std::vector<std::int64_t>> value;
};

/// One operator of ONNX with one result.
struct Node {
  std::string type;  ///< "Conv"
  std::string name;
  std::vector<std::string> inputs;  ///< names of values
  std::string output;
  std::vector<Attribute> attributes = {};
};

/// What goes into a graph or comes out of it, f32.
struct Value {
  static constexpr std::int64_t batch = -1;  ///< a size that is known only when the graph runs
  std::string name;
  Shape shape;
};

/// The version of the operators that nodes are of.
constexpr std::int64_t operator_set = 17;

/// A graph of ONNX with its weights.
struct Model {
  std::string name;
  std::vector<Node> nodes;  ///< in an order in which they can run
  weights::NamedTensors weights;
  std::vector<Value> inputs, outputs;
  std::map<std::string, std::string> metadata;
};

/// Writes the model atomically as protocol buffers of ONNX, weights inside. The same model gives
/// the same bytes. @param program  who wrote it, for the file.
/// @throws Error on a full disk or for a graph beyond the 2 GiB that a message may have.
void write_onnx(const std::filesystem::path& file, const Model& model, const std::string& program,
                const std::string& version);

}  // namespace dml::onnx
