#include <sstream>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/sigmoid.hpp"
#include "ops/soft_rank.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// 1 - the mean over k of R_k = min(sum over positives i of sigmoid((k - r_i) / tau_k), k) /
/// min(k, number of positives), with the smooth ranks r_i = 1 + sum over j != i of
/// sigmoid((s_j - s_i) / temperature) over the whole batch, the query included. Mean over the
/// queries that have a positive.
class RecallAtKSurrogate final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine", {}}, "mean") {}
    double temperature = 0.01;
    std::string ks = "1,2,4,8,16";
    double tau_scale = 1;
    static constexpr auto fields = TupleOptions::with(
        field("temperature", &Options::temperature, "of the comparison of two similarities",
              {1e-6, 1e6}),
        field("ks", &Options::ks, "the k of the recalls, separated by commas"),
        field("tau_scale", &Options::tau_scale, "tau_k = tau_scale times k", {1e-6, 1e6}));
  };

  RecallAtKSurrogate(const Options& options, const Setup&) : TupleLoss(options), options_(options) {
    std::istringstream list(options.ks);
    for (std::string one; std::getline(list, one, ',');) {
      std::int64_t k = 0;
      schema::assign({"ks", "integer", "", "", {1, 1e9}, ""}, one, k);
      ks_.push_back(k);
    }
    if (ks_.empty()) throw UsageError("ks names no k\n  for instance ks = \"1,2,4\"");
    if (!distance().similarity())
      throw UsageError("needs a similarity\n  cosine or dot, not a distance");
  }

  Requirements requirements() const override { return {.images_per_class = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    refuse_tuples(batch, "recall_at_k");
    refuse_reference(batch, "recall_at_k");
    const Var s = matrix(batch);
    Device& device = s.device();
    const Tensor positive = batch.labels.positive_pairs(DType::f32);
    const std::int64_t n = s.dim(0);
    Tensor counts({n}, s.dtype()), counted({n}, s.dtype());
    visit_float(s.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j)
          counts.raw<T>()[i] += T(positive.raw<float>()[i * n + j]);
        counted.raw<T>()[i] = counts.raw<T>()[i] > 0 ? T(1) : T(0);
      }
    });
    const Var rank = soft_rank(s, device.upload(positive), options_.temperature);
    const Var mask = s.constant_like(positive.to(s.dtype()));
    Var total;
    for (const std::int64_t k : ks_) {
      const auto limit = static_cast<double>(k);
      const Var inside = sigmoid(affine(rank, -1, limit) / (options_.tau_scale * limit)) * mask;
      const Var found = clamp(sum(inside, 1), 0, limit);
      const Var most = s.constant_like(cut(counts, limit));
      total = total.defined() ? total + found / most : found / most;
    }
    const Var recall = total / static_cast<double>(ks_.size());
    return reduced("loss", ItemList{.values = 1.0 - recall, .weights = device.upload(counted)},
                   batch);
  }

 private:
  /// min(max(counts, 1), limit)
  static Tensor cut(const Tensor& counts, double limit) {
    Tensor result = counts.clone();
    visit_float(result.dtype(), [&]<class T>() {
      for (T& value : result.data<T>()) value = std::min(std::max(value, T(1)), T(limit));
    });
    return result;
  }

  Options options_;
  std::vector<std::int64_t> ks_;
};

const Register<Loss, RecallAtKSurrogate> recall_at_k_loss{{
    .name = "recall_at_k",
    .summary = "a smooth form of recall at several k over the batch",
    .paper = "Patel et al., Recall@k Surrogate Loss with Large Batches and Similarity Mixup, CVPR "
             "2022",
    .details = "published with batches of 4000; queries without a positive are left out. Use it "
               "when R@K itself is the aim, with batches as large as memory allows (thousands).",
    .aliases = {"rs@k"},
}};

}  // namespace
}  // namespace dml
