// LM-Metric: twenty training steps against scripts/parity/lm_metric.py.
#include "dml/lm_metric/system.hpp"
#include "ops/arithmetic.hpp"
#include "ops/conv2d.hpp"
#include "ops/pool2d.hpp"
#include "ops/relu.hpp"
#include "tests/fill.hpp"
#include "tests/golden/module.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// count numbers in [-1, 1) that belong to a name.
std::vector<double> numbers(const std::string& name, std::int64_t count) {
  std::vector<double> values;
  const std::uint64_t seed = testing::fill_seed(name);
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(testing::fill_value(seed, static_cast<std::uint64_t>(i)));
  return values;
}

/// A row of numbers, changed by f and rounded to f32, as the script has them.
template <class F> Tensor table(const std::string& name, const Shape& shape, DType type, F f) {
  std::vector<double> values = numbers(name, count(shape));
  for (double& value : values) value = f(value);
  return Tensor::of<double>(shape, std::span<const double>(values)).to(DType::f32).to(type);
}

/// The small net of the script: a convolution, and the system.
class Training final : public SmallTraining {
 public:
  explicit Training(Run& run)
      : SmallTraining(run),
        backbone_((Scope(store_) / "backbone")
                      .parameter("weight", {size("hidden"), 3, 3, 3}, init::zeros(),
                                 FileLayout::conv_weight)),
        system_({.scope = Scope(store_),
                 .dim = size("hidden"),
                 .features = size("hidden"),
                 .classes = size("classes")},
                {.head = {.dim = size("dim"),
                          .actions = size("actions"),
                          .flow = {.levels = size("levels"),
                                   .steps = size("steps"),
                                   .channels = size("channels")}},
                 .criterion = given_.text("criterion"),
                 .policy_weight = given_.number("policy_weight"),
                 .criterion_lr_scale = given_.number("criterion_lr") / given_.number("lr")}) {
    testing::fill_store(store_);
    for (Parameter& one : store_.all())
      if (one.name.ends_with("is_initialized")) device_.clear(one.value);
    optimizer_ = optimizer("adam", settings({"lr", "weight_decay"}));
  }

  double step(std::int64_t round) {
    const auto tape = Tape::train(device_);
    const std::int64_t n = size("batch"), side = size("image");
    const std::string end = "." + std::to_string(round);
    const Tensor images =
        table("images" + end, {n, 3, side, side}, type_, [](double x) { return 2 * x; });
    const Var map = relu(
        conv2d(tape->input(to_channels_last(images)), tape->leaf(backbone_), {}, {.pad = {1, 1}}));
    const Var x = global_avg_pool(map) + global_max_pool(map);
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i) of.push_back((i / 2 + round) % size("classes"));
    const Labels labels(of, size("classes"));
    lm::StepDraws draws;
    draws.head = {
        .action_p = actions("action_p" + end),
        .action_n = actions("action_n" + end),
        .noise = table("noise" + end, {n, size("dim")}, type_,
                       [](double value) { return (value + 1) / 2; }),
        .z = table("latent" + end, {n, size("dim")}, type_, [](double v) { return 1.5 * v; })};
    store_.clear_gradients();
    const Var loss = system_({.embedding = x, .features = x, .labels = labels}, draws).loss;
    tape->backward(loss);
    optimizer_->step(device_, 1);
    return loss.value().item();
  }

 private:
  Tensor actions(const std::string& name) const {
    std::vector<std::int64_t> chosen;
    for (const double value : numbers(name, size("batch")))
      chosen.push_back(
          static_cast<std::int64_t>(static_cast<double>(size("actions")) * ((value + 1) / 2)));
    return Tensor::of<std::int64_t>({size("batch")}, std::span<const std::int64_t>(chosen));
  }

  Parameter& backbone_;
  lm::System system_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden parity{
    "lm_metric", "lm_parity", [](Run& run) {
      give_training<Training>(
          run, {.losses = 1e-4,
                .weights = 1e-3,
                .losses_reason = "roundings of twenty f32 steps",
                .weights_reason = "Adam turns the sign of a rounding into a whole step"});
    }};

}  // namespace
}  // namespace dml::golden
