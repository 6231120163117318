#include "dml/losses/n_pairs.hpp"

#include <algorithm>

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// The first positive pair of every class: cross-entropy of anchors against all partners.
class NPairs final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"dot"}, "mean") {}
    static constexpr auto fields = TupleOptions::fields;
  };

  NPairs(const Options& options, const Setup&) : TupleLoss(options) {}

 protected:
  Var compute(const Batch& batch) override {
    refuse_reference(batch, "n_pairs");
    const Var d = matrix(batch);
    Device& device = d.device();
    Tensor partner = device.empty({d.dim(0)}, d.dtype());
    Tensor chosen = device.empty({d.dim(0)}, d.dtype());
    kernel::first_pairs(device, relation(batch), device.upload(batch.labels.tensor()), partner,
                        chosen);
    const RowSums sums =
        row_loss(NPairsRow{.scale = -distance().sign(), .bounds = reducer().bounds("loss")}, d,
                 relation_of(device, batch.labels),
                 {.parameter = d.constant_like(partner), .others = chosen});
    return reduced("loss", sums.part(0), batch);
  }
};

/// Serial: whether a class has its pair yet depends on all rows before.
void first_pairs(Device&, const Tensor& relation, const Tensor& classes, Tensor& partner,
                 Tensor& chosen) {
  const std::int64_t n = relation.dim(0);
  const std::int64_t* of = classes.raw<std::int64_t>();
  visit_float(partner.dtype(), [&]<class T>() {
    T *with = partner.raw<T>(), *is = chosen.raw<T>();
    std::fill_n(is, n, T(0));
    for (std::int64_t i = 0; i < n; ++i) {
      const float* row = relation.raw<float>() + i * n;
      const std::int64_t first = std::find_if(row, row + n, [](float r) { return r > 0; }) - row;
      bool taken = first == n;
      for (std::int64_t k = 0; k < i && !taken; ++k) taken = of[k] == of[i] && with[k] >= T(0);
      with[i] = taken ? T(-1) : static_cast<T>(first);
      if (!taken) is[first] = T(1);
    }
  });
}

const bool n_pairs_added = add_row_loss<NPairsRow>() &&
                           kernel::first_pairs.add(Backend::reference, first_pairs) &&
                           kernel::first_pairs.add(Backend::cpu, first_pairs);

const Register<Loss, NPairs> n_pairs_loss{{
    .name = "n_pairs",
    .summary = "one pair of every class, each anchor against the partners of all classes",
    .paper =
        "Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016",
    .details = "the paper uses raw inner products (distance.normalize = false) and a penalty on "
               "the squared length (embedding_regularizer = lp with power 2). Cost: n^2. Use it "
               "with exactly two images of each class and many classes in a batch.",
    .aliases = {"n_pair"},
}};

}  // namespace
}  // namespace dml
