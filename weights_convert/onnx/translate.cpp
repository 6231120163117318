#include "weights_convert/onnx/translate.hpp"

#include <algorithm>
#include <set>

#include "engine/error.hpp"

namespace dml::onnx {
namespace {

/// [n, h, w, c] is [n, c, h, w] there; everything else stays.
Shape channels_first(const Shape& shape) {
  return shape.size() == 4 ? Shape{shape[0], shape[3], shape[1], shape[2]} : shape;
}

Value with_batch(const std::string& name, const Shape& shape) {
  Value value{name, channels_first(shape)};
  value.shape.at(0) = Value::batch;
  return value;
}

const std::vector<double>& setting(const Trace::Node& node, const std::string& name) {
  return node.op.settings.at(name);
}

bool flag(const Trace::Node& node, const std::string& name) { return setting(node, name)[0] != 0; }

/// Whole numbers of a setting as an attribute.
std::vector<std::int64_t> wholes(const Trace::Node& node, const std::string& name) {
  const std::vector<double>& values = setting(node, name);
  return {values.begin(), values.end()};
}

/// The same padding before and behind.
std::vector<std::int64_t> both_sides(const Trace::Node& node) {
  std::vector<std::int64_t> pads = wholes(node, "pad");
  pads.insert(pads.end(), pads.begin(), pads.end());
  return pads;
}

class Translator {
 public:
  Translator(const Trace& trace, const Ends& ends, const WeightOf& weight_of)
      : trace_(trace), weight_of_(weight_of) {
    const auto& [input, number] = ends.input;
    names_[number] = input;
    ends_.insert(input);
    model_.inputs.push_back(with_batch(input, trace.value(number).shape));
    std::vector<int> wanted;
    for (const auto& [name, value] : ends.outputs) {
      names_.emplace(value, name);
      ends_.insert(name);
      wanted.push_back(value);
      model_.outputs.push_back(with_batch(name, trace.value(value).shape));
    }
    for (const Trace::Node& node : trace.needed_for(wanted)) add(node);
    // A value that goes out under two names is computed once.
    for (const auto& [name, value] : ends.outputs)
      if (names_.at(value) != name) put("Identity", name, {names_.at(value)}, name);
  }

  Model take() { return std::move(model_); }

 private:
  using Names = std::vector<std::string>;

  void put(const std::string& type, const std::string& name, Names inputs,
           const std::string& output, std::vector<Attribute> attributes = {}) {
    model_.nodes.push_back({type, name, std::move(inputs), output, std::move(attributes)});
  }

  void add(const Trace::Node& node) {
    Names inputs;
    for (const int value : node.inputs) inputs.push_back(name_of(value));
    const std::string& op = node.op.name;
    const std::string name = op == "conv2d" || op == "batch_norm" || op == "linear"
                                 ? inputs[1].substr(0, inputs[1].rfind('.'))
                                 : op + "_" + std::to_string(++counts_[op]);
    // A layer may be called as what goes out: the head's is "embedding".
    const std::string inner = ends_.contains(name) ? name + ".value" : name;
    const std::string output = names_.emplace(node.output, inner).first->second;
    if (op == "conv2d") return convolution(node, name, inputs, output);
    if (op == "batch_norm") return batch_norm(node, name, inputs, output);
    if (op == "max_pool2d" || op == "avg_pool2d") return pooling(node, name, inputs, output);
    if (op == "adaptive_avg_pool2d" || op == "adaptive_max_pool2d")
      return global_pooling(node, name, inputs, output);
    if (op == "l2_normalize") return l2_normalize(node, name, inputs, output);
    if (op == "linear") return put("Gemm", name, inputs, output, {{"transB", std::int64_t{1}}});
    static const std::map<std::string, std::pair<const char*, std::vector<Attribute>>> plain{
        {"relu", {"Relu", {}}},
        {"add", {"Add", {}}},
        {"copy", {"Identity", {}}},
        {"drop_map", {"Flatten", {{"axis", std::int64_t{1}}}}},
        {"concat_channels", {"Concat", {{"axis", std::int64_t{1}}}}}};
    const auto found = plain.find(op);
    if (found == plain.end()) throw UsageError("the op '" + op + "' has no counterpart in ONNX");
    put(found->second.first, name, inputs, output, found->second.second);
  }

  void convolution(const Trace::Node& node, const std::string& name, const Names& inputs,
                   const std::string& output) {
    const Shape& weight = trace_.value(node.inputs[1]).shape;  // [k, r, s, c]
    put("Conv", name, inputs, output,
        {{"kernel_shape", std::vector{weight[1], weight[2]}},
         {"strides", wholes(node, "stride")},
         {"pads", both_sides(node)},
         {"dilations", wholes(node, "dilation")},
         {"group", wholes(node, "groups")[0]}});
  }

  /// Up to three nodes: the normalisation, the shortcut, the ReLU.
  void batch_norm(const Trace::Node& node, const std::string& name, const Names& inputs,
                  const std::string& output) {
    const bool add = flag(node, "add"), relu = flag(node, "relu");
    const std::size_t statistics = inputs.size() - 2;
    const std::string normed = add || relu ? name + ".normed" : output;
    put("BatchNormalization", name,
        {inputs[0], inputs[1], inputs[2], inputs[statistics], inputs[statistics + 1]}, normed,
        {{"epsilon", setting(node, "eps")[0]}});
    const std::string sum = add && relu ? name + ".sum" : output;
    if (add) put("Add", name + ".add", {normed, inputs[3]}, sum);
    if (relu) put("Relu", name + ".relu", {add ? sum : normed}, output);
  }

  void pooling(const Trace::Node& node, const std::string& name, const Names& inputs,
               const std::string& output) {
    const std::vector<std::int64_t> stride = wholes(node, "stride"), pad = wholes(node, "pad");
    const bool every = stride == std::vector<std::int64_t>{1, 1};
    const bool up = flag(node, "ceil_mode") && !every;  // with stride 1 nothing is left to round
    const bool maximum = node.op.name == "max_pool2d";
    // Runtimes do not agree on windows that reach beyond the padding.
    if (up && (!maximum || pad != std::vector<std::int64_t>{0, 0}))
      throw UsageError("pooling that rounds up and pads has no exact counterpart in ONNX");
    std::vector<Attribute> attributes{{"kernel_shape", wholes(node, "kernel")},
                                      {"strides", stride},
                                      {"pads", both_sides(node)},
                                      {"ceil_mode", std::int64_t{up}}};
    if (maximum) attributes.push_back({"dilations", wholes(node, "dilation")});
    if (!maximum) attributes.push_back({"count_include_pad", wholes(node, "count_include_pad")[0]});
    put(maximum ? "MaxPool" : "AveragePool", name, inputs, output, std::move(attributes));
  }

  void global_pooling(const Trace::Node& node, const std::string& name, const Names& inputs,
                      const std::string& output) {
    if (wholes(node, "cells") != std::vector<std::int64_t>{1, 1})
      throw UsageError("pooling to several cells has no counterpart in ONNX");
    const bool maximum = node.op.name == "adaptive_max_pool2d";
    put(maximum ? "GlobalMaxPool" : "GlobalAveragePool", name, inputs, output);
  }

  /// x / max(|x|, eps), or x / sqrt(|x|^2 + eps).
  void l2_normalize(const Trace::Node& node, const std::string& name, const Names& inputs,
                    const std::string& output) {
    const std::vector<Attribute> rows{{"axes", std::vector<std::int64_t>{1}},
                                      {"keepdims", std::int64_t{1}}};
    const std::string eps = name + ".eps", length = name + ".length", least = name + ".bounded";
    model_.weights.emplace_back(
        eps, Tensor::of<float>({1}, {static_cast<float>(setting(node, "eps")[0])}));
    if (flag(node, "added")) {
      put("ReduceSumSquare", length, inputs, length + "2", rows);
      put("Add", name + ".add", {length + "2", eps}, least + "2");
      put("Sqrt", least, {least + "2"}, least);
    } else {
      put("ReduceL2", length, inputs, length, rows);
      put("Max", least, {length, eps}, least);
    }
    put("Div", name, {inputs[0], least}, output);
  }

  /// The name of a value; a constant is added to the weights when it is first met.
  const std::string& name_of(int number) {
    if (const auto known = names_.find(number); known != names_.end()) return known->second;
    const Tensor& constant = trace_.value(number).constant;
    auto [name, tensor] =
        constant.defined() ? weight_of_(constant) : std::pair<std::string, Tensor>{};
    if (name.empty())
      throw UsageError("the pass reads a value that is no weight of the model and no input");
    model_.weights.emplace_back(name, tensor);
    return names_[number] = name;
  }

  const Trace& trace_;
  const WeightOf& weight_of_;
  Model model_;
  std::map<int, std::string> names_;
  std::set<std::string> ends_;  ///< names that the caller has given
  std::map<std::string, int> counts_;
};

}  // namespace

Model translate(const Trace& trace, const Ends& ends, const WeightOf& weight_of) {
  return Translator(trace, ends, weight_of).take();
}

}  // namespace dml::onnx
