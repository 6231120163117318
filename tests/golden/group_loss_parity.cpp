// Group Loss: twenty training steps against scripts/parity/group_loss.py.
#include <map>

#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "nets/layers.hpp"
#include "ops/pool2d.hpp"
#include "tests/fill.hpp"
#include "tests/golden/golden.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm, the mean per channel; and the loss of
/// the registry, whose classifier reads these features.
class Training {
 public:
  explicit Training(Run& run)
      : given_(run.given()),
        device_(run.device()),
        type_(run.type()),
        store_(run.device(), run.type()),
        norms_(std::make_shared<NormState>()),
        first_({Scope(store_), norms_, ConvInit::uniform, true, given_.number("momentum")}, "conv1",
               "bn1", 3, size("channels"), Window{.kernel = 3, .pad = 1}),
        loss_(Registry<Loss>::make(given_.text("loss"), settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("channels"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    optimizer_ = Registry<Optimizer>::make("radam",
                                           {{"lr", given_.text("lr")},
                                            {"weight_decay", given_.text("weight_decay")},
                                            {"eps", given_.text("eps")}},
                                           {store_});
  }

  double step(std::int64_t number) {
    schedule(number);
    const std::int64_t chunk = size("chunk"), side = size("image"), n = size("chunks") * chunk;
    const Tensor images =
        testing::fill_stream("images." + std::to_string(number), {n, 3, side, side}, 2).to(type_);
    const std::int64_t different = size("chunks") - size("repeat");
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i)
      of.push_back((number + i / chunk % different) % size("classes"));
    const Labels labels(of, size("classes"));
    store_.clear_gradients();
    const auto tape = Tape::train(device_);
    const Var features = global_avg_pool(first_(tape->input(to_channels_last(images))));
    const Var loss = (*loss_)({.embedding = features, .features = features, .labels = labels});
    tape->backward(loss);
    optimizer_->step(device_, factor_);
    return loss.value().item();
  }

  const ParameterStore& store() const { return store_; }

 private:
  std::int64_t size(const std::string& name) const { return given_.integer(name); }
  Settings settings() const {
    const std::string& temperature = given_.text("temperature");
    if (given_.text("loss") == "softmax") return {{"temperature", temperature}};
    return {{"temperature", temperature},
            {"anchors", given_.text("anchors")},
            {"iterations", given_.text("iterations")},
            {"scaling", given_.text("scaling")}};
  }

  /// What the published schedule does before two of the epochs: the best weights and statistics
  /// come back, at a tenth of the first rate, and the optimizer keeps its moments.
  void schedule(std::int64_t number) {
    for (Parameter& one : store_.all()) {
      if (one.value.dtype() != type_) continue;  // counters of batch norm
      if (number == size("best")) best_[one.name] = one.to_file().clone();
      if (number == size("first") || number == size("second"))
        one.from_file(best_.at(one.name), device_);
    }
    if (number == size("first") || number == size("second")) factor_ = given_.number("factor");
  }

  const Case& given_;
  Device& device_;
  DType type_;
  ParameterStore store_;
  std::shared_ptr<NormState> norms_;
  ConvNormRelu first_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
  std::map<std::string, Tensor> best_;
  double factor_ = 1;
};

const AddGolden parity{
    "group_loss", "group_loss_parity", [](Run& run) {
      give_training<Training>(
          run, {.losses = 1e-4,
                .weights = 1e-3,
                .losses_reason = "roundings of twenty f32 steps",
                .weights_reason =
                    "an adaptive rule turns the rounding of a gradient near 0 into a step"});
    }};

}  // namespace
}  // namespace dml::golden
