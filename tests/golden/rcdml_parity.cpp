// RCDML and Proxy-Anchor: twenty training steps against scripts/parity/rcdml.py.
#include <cmath>

#include "dml/clip.hpp"
#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "nets/head.hpp"
#include "nets/layers.hpp"
#include "tests/fill.hpp"
#include "tests/golden/golden.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm on running statistics, the head of the
/// published code; and the loss of the registry.
class Training {
 public:
  explicit Training(Run& run)
      : given_(run.given()),
        device_(run.device()),
        type_(run.type()),
        store_(run.device(), run.type()),
        norms_(std::make_shared<NormState>()),
        first_({Scope(store_), norms_}, "conv1", "bn1", 3, size("channels"),
               Window{.kernel = 3, .pad = 1}),
        head_({.pooling = "both", .dim = size("dim"), .normalize = "added"}, Scope(store_),
              size("channels")),
        loss_(Registry<Loss>::make(given_.text("loss"), settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("dim"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    norms_->set(BatchNormMode::frozen_statistics);
    optimizer_ = Registry<Optimizer>::make(
        "adamw", {{"lr", given_.text("lr")}, {"weight_decay", given_.text("weight_decay")}},
        {store_});
  }

  double step(std::int64_t number) {
    const std::int64_t n = size("batch"), side = size("image");
    const Tensor images =
        testing::fill_stream("images." + std::to_string(number), {n, 3, side, side}, 2).to(type_);
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i) of.push_back((number + i * i) % size("classes"));
    const Labels labels(of, size("classes"));
    for (Parameter& one : store_.all())
      one.trainable = number >= size("warm") || one.name.starts_with("embedding.") ||
                      one.name.starts_with("loss.");
    store_.clear_gradients();
    const auto tape = Tape::train(device_);
    const Outputs outputs = head_(first_(tape->input(to_channels_last(images))));
    const Var loss =
        (*loss_)({.embedding = outputs.embedding, .features = outputs.features, .labels = labels});
    tape->backward(loss);
    clip_gradient_value(device_, store_, 10);
    const auto drops = static_cast<double>(number / size("decay_every"));
    optimizer_->step(device_, std::pow(given_.number("gamma"), drops));
    return loss.value().item();
  }

  const ParameterStore& store() const { return store_; }

 private:
  std::int64_t size(const std::string& name) const { return given_.integer(name); }
  Settings settings() const {
    Settings all{{"lr_scale", given_.text("lr_scale")}};
    if (given_.text("loss") == "proxy_anchor") {
      all["norm_floor"] = "added";
    } else {
      all["prc"] = given_.text("prc");
      all["src"] = given_.text("src");
    }
    return all;
  }

  const Case& given_;
  Device& device_;
  DType type_;
  ParameterStore store_;
  std::shared_ptr<NormState> norms_;
  ConvNormRelu first_;
  Head head_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden parity{
    "rcdml", "rcdml_parity", [](Run& run) {
      give_training<Training>(
          run, {.losses = 1e-3,
                .weights = 1e-2,
                .losses_reason = "roundings of twenty f32 steps",
                .weights_reason =
                    "an adaptive rule turns the rounding of a gradient near 0 into a step"});
    }};

}  // namespace
}  // namespace dml::golden
