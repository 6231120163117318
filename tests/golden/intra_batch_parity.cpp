// Intra-batch connections: twenty training steps against scripts/parity/intra_batch.py.
#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "nets/layers.hpp"
#include "ops/pool2d.hpp"
#include "tests/fill.hpp"
#include "tests/golden/golden.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm, the largest value per channel, a
/// linear layer; and the loss of the registry.
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
        red_(Scope(store_) / "red", size("channels"), size("dim"), init::zeros(), init::zeros()),
        loss_(Registry<Loss>::make("intra_batch", settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("dim"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    optimizer_ = Registry<Optimizer>::make(
        "radam", {{"lr", given_.text("lr")}, {"weight_decay", given_.text("weight_decay")}},
        {store_});
  }

  double step(std::int64_t number) {
    const std::int64_t per_class = size("batch_images"), side = size("image");
    const std::int64_t n = size("batch_classes") * per_class;
    const Tensor images =
        testing::fill_stream("images." + std::to_string(number), {n, 3, side, side}, 2).to(type_);
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i) of.push_back((number + i / per_class) % size("classes"));
    const Labels labels(of, size("classes"));
    store_.clear_gradients();
    const auto tape = Tape::train(device_, {static_cast<std::uint64_t>(size("seed")),
                                            Purpose::dropout, static_cast<std::uint64_t>(number)});
    const Var map = first_(tape->input(to_channels_last(images)));
    const Var embedding = red_(global_max_pool(map));
    const Var loss = (*loss_)({.embedding = embedding, .features = embedding, .labels = labels});
    tape->backward(loss);
    optimizer_->step(device_, 1);
    return loss.value().item();
  }

  const ParameterStore& store() const { return store_; }

 private:
  std::int64_t size(const std::string& name) const { return given_.integer(name); }
  Settings settings() const {
    const std::string& dropout = given_.text("dropout");
    return {{"num_layers", given_.text("layers")},
            {"num_heads", given_.text("heads")},
            {"cat", given_.flag("cat") ? "true" : "false"},
            {"mult_attr", given_.flag("mult_attr") ? "true" : "false"},
            {"temperature", given_.text("temperature")},
            {"label_smoothing", given_.text("label_smoothing")},
            {"dropout_attention", dropout},
            {"dropout_1", dropout},
            {"dropout_2", dropout},
            {"dropout_mlp", dropout}};
  }

  const Case& given_;
  Device& device_;
  DType type_;
  ParameterStore store_;
  std::shared_ptr<NormState> norms_;
  ConvNormRelu first_;
  Linear red_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden parity{
    "intra_batch", "intra_batch_parity", [](Run& run) {
      give_training<Training>(
          run, {.losses = 1e-3,
                .weights = 1e-2,
                .losses_reason = "roundings of twenty f32 steps",
                .weights_reason =
                    "an adaptive rule turns the rounding of a gradient near 0 into a step"});
    }};

}  // namespace
}  // namespace dml::golden
