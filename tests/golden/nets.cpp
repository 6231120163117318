// Whole nets with weights filled by formula: names, maps of all stages, gradients, heads.
#include <sstream>

#include "nets/model.hpp"
#include "ops/matmul.hpp"
#include "ops/pool2d.hpp"
#include "tests/fill.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

using testing::fill_store;
using testing::fill_stream;
using testing::fill_tensor;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, at);) words.push_back(word);
  return words;
}

/// A net of the case's architecture with filled weights.
struct Filled {
  explicit Filled(Run& run) : store(run.device(), run.type()) {
    const Case& given = run.given();
    const std::string arch = given.text("arch");
    Settings settings;
    if (given.integer("last_stride", 2) == 1) settings["last_stride"] = "1";
    if (arch == "bn_inception" && given.says("bn_momentum"))
      settings["momentum"] = given.text("bn_momentum");
    net = Registry<Net>::make(arch, settings, {Scope(store)});
    fill_store(store, given.text("salt", ""));
  }

  ParameterStore store;
  std::unique_ptr<Net> net;
};

Tensor images(const Run& run) {
  const Case& given = run.given();
  Shape shape;
  for (const std::int64_t size : given.integers("input_shape")) shape.push_back(size);
  return to_channels_last(fill_stream(given.text("input_name"), shape, 2).to(run.type()));
}

/// Sum, L2 norm, mean of a tensor, in f64.
struct Moments {
  double sum = 0, l2 = 0, mean = 0;
};
Moments moments(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::f64);
  Moments result;
  for (const double value : values.data<double>()) {
    result.sum += value;
    result.l2 += value * value;
  }
  result.l2 = std::sqrt(result.l2);
  result.mean = result.sum / static_cast<double>(values.size());
  return result;
}

double largest(const Tensor& tensor) {
  double most = 0;
  const Tensor values = tensor.to(DType::f64);
  for (const double value : values.data<double>()) most = std::max(most, std::abs(value));
  return most;
}

constexpr const char* roundings =
    "f32 roundings through a whole net; measured between PyTorch in f32 and f64";

/// Lets an f32 tensor be `tolerance` times `scale` off, instead of times its largest element.
void loosen(Run& run, const std::string& name, double tolerance, double scale) {
  const double rule = std::max(1.0, largest(run.given().at(name)));
  run.loosen(name, {.relative = tolerance * scale / rule, .reason = roundings});
}

/// Hands in out.L.{shape,mean,l2,samples} of a tensor in the file's layout. f32 tolerance relative
/// to the root mean square (samples: or the largest), and at least to `floor`.
void describe(Run& run, const std::string& label, const Tensor& tensor, double tolerance,
              double floor = 0) {
  const std::string out = "out." + label + ".";
  Tensor shape({tensor.rank()}, DType::i64);
  for (int i = 0; i < tensor.rank(); ++i)
    shape.data<std::int64_t>()[static_cast<std::size_t>(i)] = tensor.dim(i);
  run.give(out + "shape", shape);
  const Moments m = moments(tensor);
  run.give(out + "mean", {m.mean});
  run.give(out + "l2", {m.l2});
  const Tensor values = tensor.to(DType::f64), index = run.tensor("in." + label + ".index");
  std::vector<double> samples;
  for (const std::int64_t i : index.data<std::int64_t>())
    samples.push_back(values.data<double>()[static_cast<std::size_t>(i)]);
  run.give(out + "samples", samples);
  const double l2 = run.tensor(out + "l2").to(DType::f64).item();
  const double rms = std::max(floor, l2 / std::sqrt(static_cast<double>(tensor.size())));
  loosen(run, out + "mean", tolerance, rms);
  loosen(run, out + "l2", tolerance, std::max(floor, l2));
  loosen(run, out + "samples", tolerance, std::max(rms, largest(run.given().at(out + "samples"))));
}

void output(Run& run, const std::string& name, const Tensor& tensor, double tolerance) {
  run.give("out." + name, tensor);
  run.loosen("out." + name, {.relative = tolerance, .l2 = true, .reason = roundings});
}

Head pooling(const std::string& kind, ParameterStore& store, std::int64_t width) {
  return {{.pooling = kind == "avgmax" ? "both" : kind}, Scope(store), width};
}

// --- names, shapes and the fill itself

void fill_case(Run& run) {
  Filled filled(run);
  const std::int64_t width = filled.net->width();
  const LinearInit rule = filled.net->classifier_init(width);
  const Linear classifier(Scope(filled.store) / filled.net->classifier_name(), width, 1000,
                          rule.weight, rule.bias);
  fill_store(filled.store, run.given().text("salt", ""));
  DML_CHECK(filled.store.parameter_count() == run.given().integer("parameters"),
            "the net has " + std::to_string(filled.store.parameter_count()) + " parameters");
  const std::vector<std::string> names = split(run.given().text("names"), '\n');
  const std::vector<std::string> shapes = split(run.given().text("shapes") + "\n", '\n');
  DML_CHECK(names.size() == filled.store.all().size(),
            "the net has " + std::to_string(filled.store.all().size()) + " tensors");
  Tensor table({static_cast<std::int64_t>(names.size()), 4}, DType::f64);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Parameter& one = filled.store.all()[i];
    Shape shape;
    for (const std::string& size : split(shapes.at(i), ',')) shape.push_back(std::stoll(size));
    DML_CHECK(one.name == names[i], "'" + one.name + "' stands where '" + names[i] + "' should");
    DML_CHECK(one.file_shape() == shape, one.name + " has shape " + to_string(one.file_shape()));
    const Tensor values = one.to_file().to(DType::f64);
    const Moments m = moments(values);
    auto row = table.row<double>(static_cast<std::int64_t>(i));
    row[0] = m.sum;
    row[1] = m.l2;
    row[2] = values.data<double>().front();
    row[3] = values.data<double>().back();
  }
  run.give("out.fill_table", table);
}

// --- forward and backward

void eval_case(Run& run, Filled& filled) {
  const double tolerance = 2e-5;
  const auto tape = Tape::infer(run.device());
  const auto maps =
      filled.net->maps(tape->input(images(run)), split(run.given().text("stages"), ','));
  for (const auto& [name, map] : maps)
    describe(run, name, to_channels_first(map.value().dense()), tolerance);
  const Var& last = maps.at("features_map");
  output(run, "features", global_avg_pool(last).value(), tolerance);
  output(run, "features_max", global_max_pool(last).value(), tolerance);
}

/// Whether this is the bias of a convolution that feeds a batch norm, whose gradient is exactly
/// zero with batch statistics.
bool is_zero(ParameterStore& store, const std::string& name, bool live) {
  constexpr std::string_view tail = ".bias";
  if (!live || !name.ends_with(tail)) return false;
  return store.find(name.substr(0, name.size() - tail.size()) + "_bn.bias") != nullptr;
}

void gradients(Run& run, Filled& filled, const Tensor& input_gradient, bool live) {
  const double tolerance = live ? 6e-2 : 1e-3;
  for (const std::string& name : run.given().names("out.grad.")) {
    if (!name.ends_with(".samples")) continue;
    const std::string label = name.substr(4, name.size() - 4 - 8);  // without out. and .samples
    const std::string of = label.substr(5);                         // without grad.
    if (of == "input") {
      describe(run, label, to_channels_first(input_gradient), tolerance);
      continue;
    }
    Parameter* parameter = filled.store.find(of);
    DML_CHECK(parameter != nullptr, "no parameter named '" + of + "'");
    Parameter gradient{.name = of, .value = parameter->grad, .layout = parameter->layout};
    describe(run, label, gradient.to_file(), tolerance, is_zero(filled.store, of, live) ? 1e-2 : 0);
  }
  if (!run.given().has("out.grad_table")) return;
  const std::vector<std::string> names = split(run.given().text("grad_table_names"), '\n');
  Tensor table({static_cast<std::int64_t>(names.size()), 2}, DType::f64);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Moments m = moments(filled.store.find(names[i])->grad);
    table.row<double>(static_cast<std::int64_t>(i))[0] = m.sum;
    table.row<double>(static_cast<std::int64_t>(i))[1] = m.l2;
  }
  run.give("out.grad_table", table);
  Loose loose{.relative = tolerance, .reason = roundings};
  // A sum of n elements may be off by sqrt(n) times what the norm of the gradient is off: where a
  // ReLU turns, all weights of a channel move one way. PyTorch's own deviation is in the file.
  if (live) {
    double deviation = 0;
    for (const char* name :
         {"float32_rel_err_grad_worst", "float32_rel_err_grad_worst_other_kernels"})
      deviation = std::max(deviation, run.given().number(name, 0));
    const Tensor want = run.tensor("out.grad_table").to(DType::f64);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto n = static_cast<double>(filled.store.find(names[i])->grad.size());
      loose.slack.push_back(deviation * std::sqrt(n) * want.raw<double>()[2 * i + 1]);
      loose.slack.push_back(0);
    }
  }
  run.loosen("out.grad_table", loose);
}

void running_statistics(Run& run, Filled& filled) {
  const double tolerance = 2e-4;
  const std::vector<std::string> names = split(run.given().text("running_table_names"), '\n');
  Tensor table({static_cast<std::int64_t>(names.size()), 4}, DType::f64);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Moments mean = moments(filled.store.find(names[i] + ".running_mean")->value);
    const Moments variance = moments(filled.store.find(names[i] + ".running_var")->value);
    auto row = table.row<double>(static_cast<std::int64_t>(i));
    row[0] = mean.sum;
    row[1] = mean.l2;
    row[2] = variance.sum;
    row[3] = variance.l2;
  }
  run.give("out.running_table", table);
  run.loosen("out.running_table", {.relative = tolerance, .reason = roundings});
  for (const char* end : {"first", "last"}) {
    const std::string name = run.given().text(std::string("running_") + end);
    for (const char* what : {"mean", "var"})
      describe(run, std::string("running_") + what + "_" + end,
               filled.store.find(name + ".running_" + what)->value, tolerance);
    const auto batches = filled.store.find(name + ".num_batches_tracked")->value;
    DML_CHECK(batches.to_host().data<std::int64_t>()[0] == 1,
              name + ": one batch, counted otherwise");
  }
}

constexpr double train_tolerance = 2e-4;  // with live batch norm

void train_case(Run& run, Filled& filled, bool live) {
  const double tolerance = live ? train_tolerance : 2e-5;
  filled.net->set_batch_norm(live ? BatchNormMode::live : BatchNormMode::frozen_statistics);
  const auto tape = Tape::train(run.device());
  const Var input = tape->variable(images(run));
  const auto maps = filled.net->maps(input, split(run.given().text("stages"), ','));
  for (const auto& [name, map] : maps)
    describe(run, name, to_channels_first(map.value().dense()), tolerance);
  const Head head = pooling(run.given().text("pool"), filled.store, filled.net->width());
  const Var features = head.pool(maps.at("features_map"));
  output(run, "features", features.value(), tolerance);
  const Tensor probe = fill_stream("probe", features.shape(), 1).to(run.type());
  double loss = 0;
  const Tensor a = features.value().to(DType::f64), b = probe.to(DType::f64);
  for (std::int64_t i = 0; i < a.size(); ++i) loss += a.raw<double>()[i] * b.raw<double>()[i];
  run.give("out.loss", {loss});
  loosen(run, "out.loss", tolerance, moments(a).l2 * moments(b).l2);
  const std::pair<Var, Tensor> objective{features, probe};
  tape->backward(std::span(&objective, 1));
  gradients(run, filled, tape->gradient(input), live);
  if (live) running_statistics(run, filled);
}

void window_case(Run& run, Filled& filled) {
  const double tolerance = 2e-5;
  const Scope scope(filled.store);
  std::vector<std::string> stages{"features_map"};
  for (const std::string& name : run.given().names("out."))  // the file lists no stages
    if (name.ends_with(".shape")) stages.push_back(name.substr(4, name.size() - 4 - 6));
  const auto maps = filled.net->maps(Tape::infer(run.device())->input(images(run)), stages);
  for (std::size_t i = 1; i < stages.size(); ++i)
    describe(run, stages[i], to_channels_first(maps.at(stages[i]).value().dense()), tolerance);
  const Var map = maps.at("features_map");
  const Head average({.pooling = "avg7"}, scope, map.dim(3));
  const Head maximum({.pooling = "max7"}, scope, map.dim(3));
  const Linear classifier(scope / filled.net->classifier_name(), map.dim(3), 1000, init::zeros(),
                          init::zeros());
  fill_store(filled.store, run.given().text("salt", ""));
  run.give("out.map_shape",
           Tensor::of<std::int64_t>({4}, {map.dim(0), map.dim(3), map.dim(1), map.dim(2)}));
  const Var pooled = average.pool(map);
  output(run, "avgpool7", pooled.value(), tolerance);
  output(run, "maxpool7", maximum.pool(map).value(), tolerance);
  output(run, "logits", classifier(pooled).value(), tolerance);
}

void backbone_case(Run& run) {
  Filled filled(run);
  const std::string mode = run.given().text("mode");
  if (run.given().has("out.avgpool7")) return window_case(run, filled);
  if (mode == "eval") return eval_case(run, filled);
  train_case(run, filled, mode == "train");
}

// --- heads

void heads_case(Run& run) {
  const double tolerance = 2e-5;
  Filled filled(run);
  const Scope scope(filled.store);
  const std::int64_t width = filled.net->width(), dim = run.given().integer("embedding_size");
  const auto tape = Tape::infer(run.device());
  const Var map = (*filled.net)(tape->input(images(run)));
  for (const char* kind : {"avg", "max", "avgmax"})
    output(run, kind, pooling(kind, filled.store, width).pool(map).value(), tolerance);

  const std::string salt = run.given().text("salt", "");
  ParameterStore added(run.device(), run.type()), maximum(run.device(), run.type());
  const Head head({.pooling = "both", .dim = dim, .normalize = "added", .neck = true}, Scope(added),
                  width);
  const Head plain({.pooling = "both", .dim = dim}, scope, width);
  const Head other({.pooling = "both", .dim = dim, .normalize = "maximum"}, Scope(maximum), width);
  for (ParameterStore* store : {&added, &filled.store, &maximum}) fill_store(*store, salt);
  Parameter* bias = added.find("bottleneck.bias");
  bias->from_file(Tensor(bias->file_shape(), DType::f32), run.device());

  output(run, "embedding", plain(map).embedding.value(), tolerance);
  output(run, "l2_norm", head(map).embedding.value(), tolerance);
  output(run, "normalize", other(map).embedding.value(), tolerance);
  const Var neck = head(map).neck;
  output(run, "neck_eval", neck.value(), tolerance);
  const Tensor weight =
      fill_tensor("fc.weight", {run.given().integer("classes"), dim}, salt).to(run.type());
  output(run, "logits", linear(neck, tape->input(weight), {}).value(), tolerance);
  // The neck divides by the deviation of three images that differ little: features as far off as
  // PyTorch's own in f32 (7.8e-7 of the norm) put it 2.6e-5 to 5.9e-5 off.
  const auto training = Tape::train(run.device());
  output(run, "neck_train", head(training->input(map.value())).neck.value(), train_tolerance);
  output(run, "neck_running_mean", added.find("bottleneck.running_mean")->value, tolerance);
  output(run, "neck_running_var", added.find("bottleneck.running_var")->value, tolerance);
}

const AddGolden fill_golden{"nets", "fill", fill_case};
const AddGolden backbone_golden{"nets", "backbone", backbone_case};
const AddGolden heads_golden{"nets", "heads", heads_case};

}  // namespace
}  // namespace dml::golden
