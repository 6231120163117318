#include "dml/miners/angular.hpp"

#include <fmt/core.h>

#include <cmath>
#include <map>

#include "dml/miner.hpp"
#include "ops/euclidean.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

template <class T>
std::int64_t list_kept(const Tensor& squared, const kernel::AngularInputs& in, Tuples& list) {
  const std::int64_t n = squared.dim(0), q = squared.dim(1);
  const T *own = in.anchor_sums.raw<T>(), *other = in.reference_sums.raw<T>();
  std::int64_t next = 0;
  for (std::int64_t a = 0; a < n; ++a) {
    const T* d = squared.raw<T>() + a * q;
    const float* relation = in.relation.raw<float>() + a * q;
    for (std::int64_t p = 0; p < q; ++p) {
      if (!(relation[p] > 0)) continue;
      const T* between = in.between.raw<T>() + p * q;
      for (std::int64_t k = 0; k < q; ++k) {
        if (!(relation[k] < 0) ||
            !in.rule.keeps(static_cast<double>(d[p]), static_cast<double>(d[k]),
                           static_cast<double>(between[k]), static_cast<double>(own[a]),
                           static_cast<double>(other[p]), static_cast<double>(other[k])))
          continue;
        list.anchor.raw<std::int64_t>()[next] = a;
        list.positive.raw<std::int64_t>()[next] = p;
        list.negative.raw<std::int64_t>()[next++] = k;
      }
    }
  }
  return next;
}

void list_angular(Device&, const Tensor& squared, const kernel::AngularInputs& in, Tuples& list) {
  std::int64_t next = 0;
  visit_float(squared.dtype(), [&]<class T>() { next = list_kept<T>(squared, in, list); });
  *list.count.raw<std::int64_t>() = next;
  for (std::int64_t t = next; t < list.anchor.size(); ++t)
    for (const Tensor& member : {list.anchor, list.positive, list.negative})
      member.raw<std::int64_t>()[t] = 0;
}

const bool angular_miner_added = kernel::list_angular.add(Backend::reference, list_angular);

/// How many triplets the labels make; they are known on the host.
std::int64_t triplets_of(const Labels& anchors, const Labels& others, bool same) {
  std::map<std::int64_t, std::int64_t> sizes;
  for (const std::int64_t label : others.of()) ++sizes[label];
  std::int64_t total = 0;
  for (const std::int64_t label : anchors.of()) {
    const auto own = sizes.find(label);
    if (own != sizes.end()) total += (own->second - (same ? 1 : 0)) * (others.size() - own->second);
  }
  return total;
}

/// Triplets whose negative sees the pair under a wide angle.
class AngularMiner final : public Miner {
 public:
  struct Options {
    double angle = 20;
    std::int64_t most_triplets = 1 << 24;
    static constexpr std::tuple fields{
        field("angle", &Options::angle, "degrees; triplets with a larger angle are kept", {0, 89}),
        field("most_triplets", &Options::most_triplets,
              "refuse batches whose labels make more triplets; the list takes 24 bytes for each",
              {1, 1e12}),
    };
  };

  AngularMiner(const Options& options, const Setup&) : options_(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    const bool same = batch.others() == nullptr;
    const std::int64_t most =
        triplets_of(batch.labels, same ? batch.labels : *batch.others(), same);
    if (most > options_.most_triplets)
      throw UsageError(
          fmt::format("the angular miner lists triplets, and this batch has {}\n  "
                      "raise most_triplets or take smaller batches",
                      most));
    const auto tape = Tape::infer(device);
    const Var x = tape->input(batch.embedding);
    const Var r = same ? x : tape->input(batch.reference);
    const Tensor squared = (same ? euclidean(x, 2) : euclidean(x, r, 2)).value();
    const double slope = std::tan(options_.angle * std::acos(-1.0) / 180);
    Tuples list;
    list.form = Tuples::Form::triplets;
    for (Tensor* const member : {&list.anchor, &list.positive, &list.negative})
      *member = device.empty({most}, DType::i64);
    list.count = device.empty({}, DType::i64);
    kernel::list_angular(
        device, squared,
        {.relation = relation_of(device, batch.labels, batch.others()),
         .between = same ? squared : euclidean(r, 2).value(),
         .anchor_sums = sum(x, -1).value(),
         .reference_sums = sum(r, -1).value(),
         .rule = {.bound = 4 * slope * slope, .dim = static_cast<double>(x.dim(1))}},
        list);
    return list;
  }

 private:
  Options options_;
};

const Register<Miner, AngularMiner> angular_miner{{
    .name = "angular",
    .summary = "triplets whose negative sees the anchor and the positive under a wide angle",
    .paper = "Wang et al., Deep Metric Learning with Angular Loss, ICCV 2017",
    .details = "on raw embeddings. Cost: one comparison and at most 24 bytes for each triplet that "
               "the labels make.",
}};

}  // namespace
}  // namespace dml
