// Intra-batch connections: twenty training steps against scripts/parity/intra_batch.py.
#include "dml/loss.hpp"
#include "ops/pool2d.hpp"
#include "tests/fill.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm, the largest value per channel, a
/// linear layer; and the loss of the registry.
class Training final : public SmallTraining {
 public:
  explicit Training(Run& run)
      : SmallTraining(run),
        first_({Scope(store_), norms_}, "conv1", "bn1", 3, size("channels"),
               Window{.kernel = 3, .pad = 1}),
        red_(Scope(store_) / "red", size("channels"), size("dim"), init::zeros(), init::zeros()),
        loss_(Registry<Loss>::make("intra_batch", loss_settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("dim"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    optimizer_ = optimizer("radam", settings({"lr", "weight_decay"}));
  }

  double step(std::int64_t number) {
    const std::int64_t n = size("batch_classes") * size("batch_images");
    const Labels of = labels(number, n, size("batch_images"), size("batch_classes"));
    store_.clear_gradients();
    const auto tape = Tape::train(device_, {static_cast<std::uint64_t>(size("seed")),
                                            Purpose::dropout, static_cast<std::uint64_t>(number)});
    const Var map = first_(tape->input(images(number, n)));
    const Var embedding = red_(global_max_pool(map));
    const Var loss = (*loss_)({.embedding = embedding, .features = embedding, .labels = of});
    tape->backward(loss);
    optimizer_->step(device_, 1);
    return loss.value().item();
  }

 private:
  Settings loss_settings() const {
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

  ConvNormRelu first_;
  Linear red_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden parity{"intra_batch", "intra_batch_parity", [](Run& run) {
                         give_training<Training>(run, {.losses = 1e-3, .weights = 1e-2});
                       }};

}  // namespace
}  // namespace dml::golden
