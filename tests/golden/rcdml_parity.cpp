// RCDML and Proxy-Anchor: twenty training steps against scripts/parity/rcdml.py.
#include <cmath>

#include "dml/clip.hpp"
#include "dml/loss.hpp"
#include "nets/head.hpp"
#include "tests/fill.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm on running statistics, the head of the
/// published code; and the loss of the registry.
class Training final : public SmallTraining {
 public:
  explicit Training(Run& run)
      : SmallTraining(run),
        first_({Scope(store_), norms_}, "conv1", "bn1", 3, size("channels"),
               Window{.kernel = 3, .pad = 1}),
        head_({.pooling = "both", .dim = size("dim"), .normalize = "added"}, Scope(store_),
              size("channels")),
        loss_(Registry<Loss>::make(given_.text("loss"), loss_settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("dim"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    norms_->set(BatchNormMode::frozen_statistics);
    optimizer_ = optimizer("adamw", settings({"lr", "weight_decay"}));
  }

  double step(std::int64_t number) {
    const std::int64_t n = size("batch");
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i) of.push_back((number + i * i) % size("classes"));
    const Labels labels(of, size("classes"));
    for (Parameter& one : store_.all())
      one.trainable = number >= size("warm") || one.name.starts_with("embedding.") ||
                      one.name.starts_with("loss.");
    store_.clear_gradients();
    const auto tape = Tape::train(device_);
    const Outputs outputs = head_(first_(tape->input(images(number, n))));
    const Var loss =
        (*loss_)({.embedding = outputs.embedding, .features = outputs.features, .labels = labels});
    tape->backward(loss);
    clip_gradient_value(device_, store_, 10);
    const auto drops = static_cast<double>(number / size("decay_every"));
    optimizer_->step(device_, std::pow(given_.number("gamma"), drops));
    return loss.value().item();
  }

 private:
  Settings loss_settings() const {
    Settings all{{"lr_scale", given_.text("lr_scale")}};
    if (given_.text("loss") == "proxy_anchor") {
      all["norm_floor"] = "added";
    } else {
      all["prc"] = given_.text("prc");
      all["src"] = given_.text("src");
    }
    return all;
  }

  ConvNormRelu first_;
  Head head_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden parity{"rcdml", "rcdml_parity", [](Run& run) {
                         give_training<Training>(run, {.losses = 1e-3, .weights = 1e-2});
                       }};

}  // namespace
}  // namespace dml::golden
