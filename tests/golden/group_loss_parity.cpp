// Group Loss: twenty training steps against scripts/parity/group_loss.py.
#include <map>

#include "dml/loss.hpp"
#include "ops/pool2d.hpp"
#include "tests/fill.hpp"
#include "tests/golden/parity.hpp"

namespace dml::golden {
namespace {

/// The small net of the script: a convolution with its norm, the mean per channel; and the loss of
/// the registry, whose classifier reads these features.
class Training final : public SmallTraining {
 public:
  explicit Training(Run& run)
      : SmallTraining(run),
        first_({Scope(store_), norms_, ConvInit::uniform, true, given_.number("momentum")}, "conv1",
               "bn1", 3, size("channels"), Window{.kernel = 3, .pad = 1}),
        loss_(Registry<Loss>::make(given_.text("loss"), loss_settings(),
                                   {.scope = Scope(store_) / "loss",
                                    .dim = size("channels"),
                                    .features = size("channels"),
                                    .classes = size("classes")})) {
    testing::fill_store(store_);
    optimizer_ = optimizer("radam", settings({"lr", "weight_decay", "eps"}));
  }

  double step(std::int64_t number) {
    schedule(number);
    const std::int64_t chunk = size("chunk"), n = size("chunks") * chunk;
    const Labels of = labels(number, n, chunk, size("chunks") - size("repeat"));
    store_.clear_gradients();
    const auto tape = Tape::train(device_);
    const Var features = global_avg_pool(first_(tape->input(images(number, n))));
    const Var loss = (*loss_)({.embedding = features, .features = features, .labels = of});
    tape->backward(loss);
    optimizer_->step(device_, factor_);
    return loss.value().item();
  }

 private:
  Settings loss_settings() const {
    if (given_.text("loss") == "softmax") return settings({"temperature"});
    return settings({"temperature", "anchors", "iterations", "scaling"});
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

  ConvNormRelu first_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
  std::map<std::string, Tensor> best_;
  double factor_ = 1;
};

const AddGolden parity{"group_loss", "group_loss_parity", [](Run& run) {
                         give_training<Training>(run, {.losses = 1e-4, .weights = 1e-3});
                       }};

}  // namespace
}  // namespace dml::golden
