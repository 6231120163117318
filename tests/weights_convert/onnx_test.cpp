#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "engine/file.hpp"
#include "nets/model.hpp"
#include "ops/arithmetic.hpp"
#include "ops/concat_channels.hpp"
#include "ops/matmul.hpp"
#include "ops/permute.hpp"
#include "ops/pool2d.hpp"
#include "ops/relu.hpp"
#include "ops/slice.hpp"
#include "tests/fill.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/weights_convert/onnx_file.hpp"
#include "weights_convert/onnx/translate.hpp"

namespace dml::testing {
namespace {

/// A net with its head and no weights yet: drawing the first ones of large nets takes seconds.
struct Traced {
  Device device = Device::open("cpu", 2);
  ParameterStore store{device};
  Model model;
  Trace trace;

  Traced(const std::string& net, const Settings& settings, const HeadOptions& head)
      : model(outlined(store, net, settings, head)) {
    for (Parameter& one : store.all()) one.value = Tensor(one.value.shape(), one.value.dtype());
  }
  static Model outlined(ParameterStore& store, const std::string& net, const Settings& settings,
                        const HeadOptions& head) {
    store.outline_only();
    return Model::make(net, settings, head, Scope(store));
  }

  onnx::Model translate(std::int64_t size) {
    const auto tape = Tape::trace(device, trace);
    const Var images = tape->variable(Tensor({1, size, size, 3}, DType::f32));
    const Outputs outputs = model(images);
    onnx::Model result = onnx::translate(
        trace,
        {{"images", images.node()},
         {{"features", outputs.features.node()}, {"embedding", outputs.embedding.node()}}},
        [&](const Tensor& constant) -> std::pair<std::string, Tensor> {
          for (const Parameter& one : store.all())
            if (one.value.shares_memory(constant)) return {one.name, one.to_file()};
          return {};
        });
    result.name = "net";
    result.metadata["key"] = "value";
    return result;
  }
};

/// Runs a file's graph by our own ops, each node by what the operator means in ONNX.
class Runner {
 public:
  Runner(Device& device, const OnnxFile& file, const Tensor& images) : file_(file) {
    tape_ = Tape::infer(device);
    values_["images"] = tape_->input(images);
    for (const OnnxNode& node : file.nodes) values_[node.outputs.at(0)] = run(node);
  }

  Tensor operator[](const std::string& name) const { return values_.at(name).value(); }

 private:
  Var in(const OnnxNode& node, std::size_t i) const { return values_.at(node.inputs.at(i)); }
  Tensor weight(const OnnxNode& node, std::size_t i) const {
    return file_.weights.at(node.inputs.at(i));
  }
  static std::array<int, 2> two(const OnnxNode& node, const char* name) {
    const std::vector<double>& values = node.attributes.at(name);
    return {static_cast<int>(values.at(0)), static_cast<int>(values.at(1))};
  }
  static bool flag(const OnnxNode& node, const char* name) {
    return node.attributes.at(name).at(0) != 0;
  }

  Var run(const OnnxNode& node) const {
    if (node.type == "Conv") {
      const Var filter = permute(tape_->input(weight(node, 1)), {0, 2, 3, 1});
      const Var bias = node.inputs.size() > 2 ? tape_->input(weight(node, 2)) : Var{};
      CHECK(two(node, "kernel_shape")[0] == filter.dim(1));
      return conv2d(in(node, 0), filter, bias,
                    {.stride = two(node, "strides"),
                     .pad = two(node, "pads"),
                     .dilation = two(node, "dilations"),
                     .groups = static_cast<int>(node.attributes.at("group")[0])});
    }
    if (node.type == "BatchNormalization") {
      RunningStatistics running{weight(node, 3), weight(node, 4), {}};
      return batch_norm(in(node, 0), tape_->input(weight(node, 1)), tape_->input(weight(node, 2)),
                        running,
                        {.eps = node.attributes.at("epsilon")[0], .batch_statistics = false});
    }
    if (node.type == "Add" && !file_.weights.contains(node.inputs.at(1)))
      return in(node, 0) + in(node, 1);
    if (node.type == "Relu") return relu(in(node, 0));
    if (node.type == "Identity") return in(node, 0);
    if (node.type == "Concat") {
      std::vector<Var> parts;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) parts.push_back(in(node, i));
      return concat_channels(parts);
    }
    if (node.type == "MaxPool" || node.type == "AveragePool") {
      Pool2dOptions options{.kernel = two(node, "kernel_shape"),
                            .stride = two(node, "strides"),
                            .pad = two(node, "pads"),
                            .ceil_mode = flag(node, "ceil_mode")};
      if (node.type == "MaxPool") return max_pool2d(in(node, 0), options);
      options.count_include_pad = flag(node, "count_include_pad");
      return avg_pool2d(in(node, 0), options);
    }
    if (node.type == "GlobalAveragePool") return adaptive_avg_pool2d(in(node, 0), 1, 1);
    if (node.type == "GlobalMaxPool") return adaptive_max_pool2d(in(node, 0), 1, 1);
    if (node.type == "Flatten") return global_avg_pool(in(node, 0));  // of one value
    if (node.type == "Gemm")
      return linear(in(node, 0), tape_->input(weight(node, 1)), tape_->input(weight(node, 2)));
    return lengths(node);
  }

  /// The operators of a normalisation to unit length, number by number.
  Var lengths(const OnnxNode& node) const {
    const Tensor x = in(node, 0).value();
    const std::int64_t width = x.dim(1);
    const auto row_wise = [&](const auto& value) {
      Tensor y({x.dim(0), node.type == "Div" ? width : 1}, DType::f32);
      for (std::int64_t i = 0; i < y.size(); ++i) y.data<float>()[i] = value(i);
      return tape_->input(y);
    };
    const auto squares = [&](std::int64_t i) {
      double sum = 0;
      for (const float v : x.row<float>(i)) sum += static_cast<double>(v) * v;
      return sum;
    };
    const auto at = [&](std::int64_t i) { return x.data<float>()[i]; };
    const auto eps = [&] { return weight(node, 1).data<float>()[0]; };
    if (node.type == "ReduceSumSquare") return row_wise([&](auto i) { return float(squares(i)); });
    if (node.type == "ReduceL2")
      return row_wise([&](auto i) { return float(std::sqrt(squares(i))); });
    if (node.type == "Add") return row_wise([&](auto i) { return at(i) + eps(); });
    if (node.type == "Max") return row_wise([&](auto i) { return std::max(at(i), eps()); });
    if (node.type == "Sqrt") return row_wise([&](auto i) { return std::sqrt(at(i)); });
    REQUIRE(node.type == "Div");
    const Tensor length = in(node, 1).value();
    return row_wise([&](auto i) { return at(i) / length.data<float>()[i / width]; });
  }

  const OnnxFile& file_;
  std::shared_ptr<Tape> tape_;
  std::map<std::string, Var> values_;
};

double relative_distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double apart = 0, length = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    apart += (x - y) * (x - y);
    length += y * y;
  }
  return std::sqrt(apart / length);
}

/// Every input of a node is there before the node, and no value is made twice.
template <class Nodes, class Known> void check_order(const Nodes& nodes, Known known) {
  std::set<std::string> names;
  for (const auto& node : nodes) {
    for (const std::string& input : node.inputs) CHECK_MESSAGE(known.contains(input), input);
    CHECK_MESSAGE(names.insert(node.name).second, node.name);
    CHECK_MESSAGE(known.insert(node.outputs.at(0)).second, node.outputs.at(0));
  }
}

TEST_CASE("onnx: a file, read back and run node by node, gives what the net gives") {
  struct Case {
    const char* net;
    Settings settings;
    HeadOptions head;
    std::int64_t size;
  };
  const Case cases[] = {{"resnet18", {}, {}, 64},
                        {"resnet50",
                         {{"last_layer", "layer2"}},
                         {.pooling = "max", .dim = 7, .normalize = "added"},
                         33},
                        {"bn_inception",
                         {},
                         {.pooling = "both", .dim = 16, .normalize = "maximum", .neck = true},
                         64},
                        {"bn_inception", {{"pool5b", "avg"}}, {.pooling = "avg7", .dim = 8}, 224},
                        {"densenet121", {}, {.dim = 12}, 64}};
  for (const Case& one : cases) {
    CAPTURE(one.net);
    const TemporaryFolder folder;
    Traced traced(one.net, one.settings, one.head);
    fill_store(traced.store);
    onnx::write_onnx(folder / "net.onnx", traced.translate(one.size), "dml", "1");
    const std::string bytes = read_file(folder / "net.onnx");
    const OnnxFile file(bytes);
    CHECK(file.representation == 8);
    CHECK(file.operators == 17);
    CHECK(file.graph == "net");
    CHECK(file.metadata.at("key") == "value");
    const std::string side = std::to_string(one.size);
    CHECK(file.inputs.at("images") == "batch,3," + side + "," + side);
    CHECK(file.outputs.at("features") == "batch," + std::to_string(traced.model.width()));
    CHECK(file.outputs.at("embedding") == "batch," + std::to_string(traced.model.dim()));
    std::set<std::string> known{"images"};
    for (const auto& [name, tensor] : file.weights) known.insert(name);
    check_order(file.nodes, known);

    Tensor images({3, one.size, one.size, 3}, DType::f32);
    const Random random(5, Purpose::render);
    std::uint64_t i = 0;
    for (float& value : images.data<float>()) value = 2 * random.uniform_float(i++) - 1;
    const auto tape = Tape::infer(traced.device);
    const Outputs want = traced.model(tape->input(images));
    const Runner found(traced.device, file, images);
    CHECK(relative_distance(found["features"], want.features.value()) < 2e-5);
    CHECK(relative_distance(found["embedding"], want.embedding.value()) < 2e-5);
  }
}

TEST_CASE("onnx: every net that there is can be written") {
  for (const std::string& net : Registry<Net>::names()) {
    CAPTURE(net);
    Traced traced(net, {}, {.dim = 4});
    const onnx::Model model = traced.translate(64);
    std::set<std::string> known{"images"};
    for (const auto& [name, tensor] : model.weights) {
      const std::string& called = name;  // clang 14 hands no structured binding to a lambda
      CHECK_MESSAGE(known.insert(called).second, called);
      const Parameter* parameter = traced.store.find(name);
      REQUIRE(parameter != nullptr);
      CHECK(tensor.shape() == parameter->file_shape());
    }
    std::vector<OnnxNode> nodes;
    for (const onnx::Node& node : model.nodes)
      nodes.push_back({node.type, node.name, node.inputs, {node.output}});
    check_order(nodes, known);
    CHECK(nodes.back().outputs == std::vector<std::string>{"embedding"});
  }
}

TEST_CASE("onnx: what has no counterpart is refused by name") {
  Device device = Device::open("cpu", 1);
  Trace trace;
  const auto tape = Tape::trace(device, trace);
  const Var x = tape->variable(Tensor({2, 3}, DType::f32));
  const onnx::WeightOf none = [](const Tensor&) { return std::pair<std::string, Tensor>{}; };
  const auto translated = [&](const Var& y) {
    return onnx::translate(trace, {{"x", x.node()}, {{"y", y.node()}}}, none);
  };
  CHECK(translated(relu(x)).nodes.size() == 1);
  CHECK_THROWS_WITH_AS(slice(x, 0, 0, 1), doctest::Contains("no description"), UsageError);
  const Var weight = tape->input(Tensor({4, 3}, DType::f32));
  CHECK_THROWS_WITH_AS(translated(linear(x, weight, {})),
                       doctest::Contains("no weight of the model"), UsageError);
  Trace cells;
  const Var map = Tape::trace(device, cells)->variable(Tensor({1, 8, 8, 2}, DType::f32));
  const Var pooled = adaptive_avg_pool2d(map, 2, 2);
  CHECK_THROWS_WITH_AS(onnx::translate(cells, {{"x", map.node()}, {{"y", pooled.node()}}}, none),
                       doctest::Contains("several cells"), UsageError);
  // A value that was cut off from its gradient is no constant.
  CHECK(translated(relu(x.detached())).nodes.size() == 1);
}

}  // namespace
}  // namespace dml::testing
