#include "weights_convert/onnx/model.hpp"

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "engine/protobuf.hpp"

namespace dml::onnx {
namespace {

// The numbers of fields and enumerators are those of onnx.proto, whose messages the functions are
// named after.
using Message = ProtobufMessage;

constexpr std::int64_t representation = 8;  // of the file; the one that came with operator set 17
constexpr std::int64_t type_float = 1, type_int64 = 7;
constexpr unsigned graph_of_model = 7, initializer_of_graph = 5, raw_of_tensor = 9;
constexpr std::uint64_t largest = (std::uint64_t{1} << 31U) - 1;

std::string attribute_proto(const Attribute& attribute) {
  Message message;
  message.text(1, attribute.name);
  if (const auto* whole = std::get_if<std::int64_t>(&attribute.value)) {
    message.whole(3, *whole);
    message.whole(20, 2);
  } else if (const auto* real = std::get_if<double>(&attribute.value)) {
    message.single(2, static_cast<float>(*real));
    message.whole(20, 1);
  } else {
    for (const std::int64_t one : std::get<std::vector<std::int64_t>>(attribute.value))
      message.whole(8, one);
    message.whole(20, 7);
  }
  return message.bytes();
}

std::string node_proto(const Node& node) {
  Message message;
  for (const std::string& input : node.inputs) message.text(1, input);
  message.text(2, node.output);
  message.text(3, node.name);
  message.text(4, node.type);
  for (const Attribute& one : node.attributes) message.text(5, attribute_proto(one));
  return message.bytes();
}

std::string value_info_proto(const Value& value) {
  Message shape;
  for (const std::int64_t size : value.shape) {
    Message dimension;
    if (size == Value::batch) {
      dimension.text(2, "batch");
    } else {
      dimension.whole(1, size);
    }
    shape.text(1, dimension.bytes());
  }
  Message tensor;
  tensor.whole(1, type_float);
  tensor.text(2, shape.bytes());
  Message type;
  type.text(1, tensor.bytes());
  Message message;
  message.text(1, value.name);
  message.text(2, type.bytes());
  return message.bytes();
}

/// A TensorProto up to its bytes, which follow.
std::string tensor_head(const std::string& name, const Tensor& tensor) {
  Message message;
  for (const std::int64_t size : tensor.shape()) message.whole(1, size);
  message.whole(2, tensor.dtype() == DType::i64 ? type_int64 : type_float);
  message.text(8, name);
  message.head(raw_of_tensor, tensor.bytes());
  return message.bytes();
}

std::string graph_without_weights(const Model& model) {
  Message graph;
  for (const Node& node : model.nodes) graph.text(1, node_proto(node));
  graph.text(2, model.name);
  for (const Value& value : model.inputs) graph.text(11, value_info_proto(value));
  for (const Value& value : model.outputs) graph.text(12, value_info_proto(value));
  return graph.bytes();
}

std::string model_without_graph(const Model& model, const std::string& program,
                                const std::string& version) {
  Message message;
  message.whole(1, representation);
  message.text(2, program);
  message.text(3, version);
  Message operators;
  operators.text(1, "");
  operators.whole(2, operator_set);
  message.text(8, operators.bytes());
  for (const auto& [key, value] : model.metadata) {
    Message entry;
    entry.text(1, key);
    entry.text(2, value);
    message.text(14, entry.bytes());
  }
  return message.bytes();
}

}  // namespace

void write_onnx(const std::filesystem::path& file, const Model& model, const std::string& program,
                const std::string& version) {
  const std::string graph = graph_without_weights(model);
  std::vector<std::string> heads;  // of the weights, as fields of the graph
  std::uint64_t size = graph.size();
  for (const auto& [name, tensor] : model.weights) {
    if (tensor.dtype() != DType::f32 && tensor.dtype() != DType::i64)
      throw TypeError("ONNX: weight '" + name + "' is neither f32 nor i64");
    const std::string head = tensor_head(name, tensor);
    Message field;
    field.head(initializer_of_graph, head.size() + tensor.bytes());
    heads.push_back(field.bytes() + head);
    size += heads.back().size() + tensor.bytes();
  }
  if (size > largest)
    throw Error(file.string() + ": the weights do not fit into the 2 GiB of an ONNX file");
  Message begin;
  begin.head(graph_of_model, size);
  write_file_atomically(file, [&](const auto& append) {
    const auto put = [&](const std::string& bytes) { append(bytes.data(), bytes.size()); };
    put(model_without_graph(model, program, version));
    put(begin.bytes());
    put(graph);
    for (std::size_t i = 0; i < heads.size(); ++i) {
      const Tensor host = model.weights[i].second.to_host().dense();
      put(heads[i]);
      append(host.raw_bytes(), host.bytes());
    }
  });
}

}  // namespace dml::onnx
