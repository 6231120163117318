#include "dml/samplers/batch_match.hpp"
#include "dml/samplers/coreset.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

Points points_of(Run& run) { return Points::of(run.tensor("in.embeddings")); }

Tensor integers(std::span<const std::int64_t> values) {
  return Tensor::of<std::int64_t>({std::ssize(values)}, values);
}

const AddGolden greedy{
    "revisiting", "greedy_coreset", [](Run& run) {
      const auto start = run.tensor("in.start").data<std::int64_t>()[0];
      run.give("out.indices",
               integers(greedy_coreset(points_of(run), run.given().integer("k"), start)));
    }};

const AddGolden d2{
    "revisiting", "d2_coreset", [](Run& run) {
      const Points points = points_of(run);
      D2Coreset coreset(points, run.given().number("lambda"));
      const Points anchor = Points::of(run.tensor("in.start_anchor").reshape({1, points.d}));
      run.give("out.first", integers(std::vector<std::int64_t>{coreset.nearest(anchor.row(0))}));
      const Tensor picks = run.tensor("in.picks");
      std::vector<double> all;
      for (std::int64_t step = 0; step + 1 < picks.size(); ++step) {
        coreset.select(picks.raw<std::int64_t>()[step]);
        for (const double one : coreset.probabilities()) all.push_back(one);
      }
      run.give("out.prob", Tensor::of<double>({picks.size() - 1, points.n}, all));
    }};

/// Costs of the rows of in.subsets, and the best of them.
template <class Cost> void match(Run& run) {
  const Points points = points_of(run);
  const Tensor subsets = run.tensor("in.subsets");
  const Cost cost(points);
  std::vector<double> costs;
  for (std::int64_t s = 0; s < subsets.dim(0); ++s)
    costs.push_back(cost(points.at(subsets.row<std::int64_t>(s))));
  const std::int64_t best = first_least(costs);
  run.give("out.cost", costs);
  run.give("out.best", integers(std::vector<std::int64_t>{best}));
  run.give("out.indices", integers(subsets.row<std::int64_t>(best)));
}

const AddGolden frechet{"revisiting", "fid_batchmatch", match<FrechetCost>};
const AddGolden histogram{"revisiting", "disthist_batchmatch", match<HistogramCost>};

}  // namespace
}  // namespace dml::golden
