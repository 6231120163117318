// What the mined losses of the Proxy-Anchor code base choose, and what they make of it.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "dml/miner.hpp"
#include "tests/golden/losses.hpp"

namespace dml::golden {
namespace {

template <std::size_t N> using Rows = std::vector<std::array<std::int64_t, N>>;

/// Gives index lists that compare as a set: in the order of the file where the sets are equal.
template <std::size_t N>
void give_set(Run& run, const std::array<const char*, N>& names, Rows<N> mined) {
  std::array<std::vector<std::int64_t>, N> wanted;
  for (std::size_t k = 0; k < N; ++k)
    wanted[k] = integers_of(run.given(), std::string("out.mined_") + names[k]);
  Rows<N> stated(wanted[0].size());
  for (std::size_t i = 0; i < stated.size(); ++i)
    for (std::size_t k = 0; k < N; ++k) stated[i][k] = wanted[k].at(i);
  const Rows<N> in_order = stated;
  std::sort(stated.begin(), stated.end());
  std::sort(mined.begin(), mined.end());
  const Rows<N>& told = stated == mined ? in_order : mined;
  for (std::size_t k = 0; k < N; ++k) {
    std::vector<std::int64_t> list;
    for (const auto& row : told) list.push_back(row[k]);
    run.give(std::string("out.mined_") + names[k],
             Tensor::of<std::int64_t>({static_cast<std::int64_t>(list.size())}, list));
  }
}

/// Mines, gives the loss of what was mined, and hands the tuples on.
template <class Give>
void mined_loss(Run& run, const std::string& miner, const Settings& mining, const std::string& name,
                const Settings& settings, Give&& give) {
  LossRun loss(run, name, settings, run.given().at("in.embeddings").dim(1), 0);
  const Var x = loss.input("embeddings");
  const Labels labels(integers_of(run.given(), "in.labels"));
  const Tuples tuples = (*Registry<Miner>::make(miner, mining, {}))(
      run.device(), {.embedding = x.value(), .labels = labels});
  give(tuples);
  loss.finish(loss.loss()({.embedding = x, .features = x, .labels = labels, .tuples = &tuples}));
  run.ignore("out.loss_pml_0_9_82", "for information: what another release gives");
}

const AddGolden similarities{
    "proxy", "ms_mined", [](Run& run) {
      const Case& given = run.given();
      mined_loss(run, "multi_similarity", {{"epsilon", given.text("epsilon")}}, "multi_similarity",
                 {{"alpha", given.text("alpha")},
                  {"beta", given.text("beta")},
                  {"base", given.text("base")}},
                 [&](const Tuples& tuples) {
                   const Tensor relation = tuples.relation.to_host();
                   Rows<2> positive, negative;
                   for (std::int64_t at = 0; at < relation.size(); ++at) {
                     const float chosen = relation.raw<float>()[at];
                     if (chosen != 0)
                       (chosen > 0 ? positive : negative)
                           .push_back({at / relation.dim(1), at % relation.dim(1)});
                   }
                   give_set<2>(run, {"anchor_pos", "positive"}, positive);
                   give_set<2>(run, {"anchor_neg", "negative"}, negative);
                 });
    }};

/// All (a, p, n) of the product with low < m(d_an, d_ap) <= high.
template <class T> Rows<3> triplets_of(const Tuples& tuples) {
  const Tensor relation = tuples.relation.to_host(), distances = tuples.filter.matrix.to_host();
  const std::int64_t n = relation.dim(0);
  Rows<3> all;
  for (std::int64_t a = 0; a < n; ++a)
    for (std::int64_t p = 0; p < n; ++p)
      for (std::int64_t k = 0; k < n; ++k) {
        const float* chosen = relation.raw<float>() + a * n;
        if (!(chosen[p] > 0) || !(chosen[k] < 0)) continue;
        const T* d = distances.raw<T>() + a * n;
        const auto& range = tuples.filter.range;
        const T apart = static_cast<T>(range.sign) * (d[k] - d[p]);
        if (apart > static_cast<T>(range.low) && apart <= static_cast<T>(range.high))
          all.push_back({a, p, k});
      }
  return all;
}

const AddGolden triplets{
    "proxy", "triplet_semihard_mined", [](Run& run) {
      const std::string margin = run.given().text("margin");
      mined_loss(run, "triplet_margin", {{"margin", margin}, {"type_of_triplets", "semihard"}},
                 "triplet_margin", {{"margin", margin}}, [&](const Tuples& tuples) {
                   visit_float(run.type(), [&]<class T>() {
                     give_set<3>(run, {"anchor", "positive", "negative"}, triplets_of<T>(tuples));
                   });
                 });
    }};

}  // namespace
}  // namespace dml::golden
