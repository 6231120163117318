#include <fmt/core.h>

#include "dml/loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/matmul.hpp"
#include "ops/norm.hpp"
#include "ops/repeat.hpp"
#include "ops/sum.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// w / (|w| + 1e-7) of every row: what PyTorch's renorm makes of it.
Tensor rescaled(Device& device, const Tensor& rows) {
  const auto tape = Tape::infer(device);
  const Var w = tape->input(rows);
  const Var shape = broadcast_to(norm(w, -1, true) + 1e-7, w.shape());
  return (w / shape).value();
}

/// Uniform in [-1, 1), then brought to length 1.
void uniform_directions(Tensor& rows, Random random) {
  init::uniform(1)(rows, random);
  Device host(Backend::reference);
  host.copy(rescaled(host, rows), rows);
}

/// Mean over all n C entries of (cos_ic - [c = y_i])^2, cos_ic = x_i w_c / |x_i|. Before every
/// training batch the class vectors themselves are brought to length 1, without a gradient through
/// that; the gradient of w is that of the product with w as it is.
class P2sGrad final : public Loss {
 public:
  struct Options {
    double lr_scale = 1;
    double decay_scale = 1;
    static constexpr std::tuple fields{
        field("lr_scale", &Options::lr_scale,
              "the class vectors learn at this multiple of the net's rate", {0, 1e9}),
        field("decay_scale", &Options::decay_scale,
              "the class vectors decay at this multiple of the weight decay", {0, 1e6}),
    };
  };

  P2sGrad(Options options, const Setup& setup)
      : classes_(setup.classes),
        weight_(setup.scope.parameter("weight", {setup.classes, setup.dim}, uniform_directions)) {
    weight_.lr_scale = options.lr_scale;
    weight_.decay_scale = options.decay_scale;
  }

  Var logits(const Var& x) override {
    const Var w =
        x.training() ? x.leaf(weight_) : x.constant_like(rescaled(x.device(), weight_.value));
    return matmul(unit_rows(x), w, {.a = false, .b = true});
  }

  Var operator()(const Batch& batch) override {
    if (batch.tuples != nullptr || batch.reference.defined())
      throw UsageError("p2s_grad takes neither pairs nor a reference set");
    for (const std::int64_t label : batch.labels.present())
      DML_CHECK(label >= 0 && label < classes_,
                fmt::format("label {} is outside [0, {}), the classes that the loss was made for",
                            label, classes_));
    Device& device = batch.embedding.device();
    if (batch.embedding.training()) device.copy(rescaled(device, weight_.value), weight_.value);
    const Var apart = own_shift(logits(batch.embedding), batch.labels.tensor(), -1);
    return mean(apart * apart);
  }

 private:
  std::int64_t classes_;
  Parameter& weight_;
};

const Register<Loss, P2sGrad> p2s_grad_loss{{
    .name = "p2s_grad",
    .summary = "squared difference of cosines to class vectors and the one-hot label",
    .paper = "Zhang et al., P2SGrad: Refined Gradients for Optimizing Deep Face Models, CVPR 2019",
    .details = "has no hyper-parameters; the paper's gradient has no factor 2 / (n C). Use it for "
               "classification without scale or margin to choose.",
}};

}  // namespace
}  // namespace dml
