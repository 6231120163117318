#include "dml/loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// Half the mean squared distance of every embedding to the learnt centre of its class
/// (Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016).
class Center final : public Loss {
 public:
  struct Options {
    double weight = 1;
    static constexpr std::tuple fields{
        field("weight", &Options::weight, "factor of the whole loss", {0, 1e6}),
    };
  };

  Center(Options options, const Setup& setup)
      : options_(options),
        centres_(setup.scope.parameter("centres", {setup.classes, setup.dim}, init::normal(0.1))) {}

  Var operator()(const Batch& batch) override {
    const Var own = index_select(batch.embedding.leaf(centres_), 0, batch.labels.tensor());
    const Var apart = batch.embedding - own;
    return options_.weight * 0.5 / static_cast<double>(batch.labels.size()) * sum(apart * apart);
  }

 private:
  Options options_;
  Parameter& centres_;
};

const Register<Loss, Center> center{{
    .name = "center",
    .summary = "draws every embedding to the learnt centre of its class",
    .paper = "Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, "
             "ECCV 2016",
}};

}  // namespace
}  // namespace dml

// ---- docs/adding.md ends here: what follows checks that its example holds.

#include <doctest/doctest.h>

namespace dml {
namespace {

TEST_CASE("center: the loss of docs/adding.md, value and gradient by hand") {
  Device device(Backend::reference);
  ParameterStore store(device, DType::f64);
  const auto loss =
      Registry<Loss>::make("center", {}, {.scope = Scope(store) / "loss", .dim = 2, .classes = 2});
  Parameter& centres = *store.find("loss.centres");
  centres.value = Tensor::of<double>({2, 2}, {1, 0, 0, 2});
  const Labels labels({1, 1, 0}, 2);
  const auto tape = Tape::train(device);
  const Var z = tape->variable(Tensor::of<double>({3, 2}, {0, 0, 0, 3, 1, 1}));
  const Var value = (*loss)({.embedding = z, .features = z, .labels = labels});
  CHECK(value.value().item() == doctest::Approx((4.0 + 1 + 1) / 6));
  tape->backward(value);
  const std::vector<double> want{0, -2.0 / 3, 0, 1.0 / 3, 0, 1.0 / 3};
  for (std::size_t i = 0; i < want.size(); ++i)
    CHECK(tape->gradient(z).data<double>()[i] == doctest::Approx(want[i]));
  CHECK(centres.grad.data<double>()[3] == doctest::Approx(1.0 / 3));
}

}  // namespace
}  // namespace dml
