#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "dml/miner.hpp"
#include "dml/miners/distance_weighted.hpp"
#include "dml/miners/kernels.hpp"
#include "dml/pairs/row_loss.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

using Index = std::int64_t;

std::vector<Index> integers(const Case& given, const std::string& name) {
  const auto values = given.at(name).data<Index>();
  return {values.begin(), values.end()};
}

/// The inputs of a case, and a miner of its options.
struct Mining {
  explicit Mining(Run& of)
      : run(of), labels(integers(of.given(), "in.labels")), device(of.device()) {
    const Case& given = of.given();
    Settings settings;
    for (const auto& [key, value] : given.contents().metadata) {
      if (key.starts_with("hp.")) settings[key.substr(3)] = value == "class size" ? "0" : value;
      if (key.starts_with("distance.")) settings[key] = value;
    }
    if (given.says("distance")) settings["distance"] = given.text("distance");
    // The angular miner has no distance to choose: it looks at raw embeddings.
    if (given.op() == "angular")
      std::erase_if(settings, [](const auto& one) { return one.first.starts_with("distance"); });
    miner = Registry<Miner>::make(given.op(), settings, {});
    if (given.has("in.ref_labels")) others.emplace(integers(given, "in.ref_labels"));
  }

  Miner::Batch batch() const {
    const bool embedded = run.given().has("in.embeddings");
    return {.embedding = embedded ? device.upload(run.tensor("in.embeddings")) : Tensor(),
            .labels = labels,
            .reference = others ? device.upload(run.tensor("in.ref_embeddings")) : Tensor(),
            .reference_labels = others ? &*others : nullptr};
  }
  Index rows() const { return labels.size(); }
  Index columns() const { return others ? others->size() : labels.size(); }

  Run& run;
  Labels labels;
  Device& device;
  std::optional<Labels> others{};
  std::unique_ptr<Miner> miner{};
};

void give(Run& run, const std::string& name, const std::vector<Index>& values) {
  run.give("out." + name,
           Tensor::of<Index>({static_cast<Index>(values.size())}, std::span<const Index>(values)));
}

/// Pairs of a relation, row by row, each as often as it was chosen.
void give_pairs(Run& run, const Tensor& relation) {
  const Tensor host = relation.to_host();
  const Index q = host.dim(1);
  std::array<std::vector<Index>, 4> lists;
  for (Index at = 0; at < host.size(); ++at)
    for (Index k = 0; k < static_cast<Index>(std::abs(host.raw<float>()[at])); ++k) {
      const std::size_t side = host.raw<float>()[at] > 0 ? 0 : 2;
      lists[side].push_back(at / q);
      lists[side + 1].push_back(at % q);
    }
  give(run, "anchor_of_positive", lists[0]);
  give(run, "positive", lists[1]);
  give(run, "anchor_of_negative", lists[2]);
  give(run, "negative", lists[3]);
}

using Triplet = std::array<Index, 3>;

std::vector<Triplet> of_list(const Tuples& tuples) {
  const Tensor a = tuples.anchor.to_host(), p = tuples.positive.to_host(),
               n = tuples.negative.to_host();
  const Index length = tuples.count.defined() ? *tuples.count.to_host().raw<Index>() : a.size();
  std::vector<Triplet> all;
  for (Index t = 0; t < length; ++t)
    all.push_back({a.raw<Index>()[t], p.raw<Index>()[t], n.raw<Index>()[t]});
  return all;
}

template <class T> std::vector<Triplet> of_product(const Tuples& tuples) {
  const Tensor relation = tuples.relation.to_host();
  TripletFilter filter = tuples.filter;
  for (Tensor* const of :
       {&filter.matrix, &filter.between, &filter.anchor_sums, &filter.reference_sums})
    if (of->defined()) *of = of->to_host();
  const FilterPointers<T> miner(filter);
  const Index n = relation.dim(0), q = relation.dim(1);
  std::vector<Triplet> all;
  for (Index a = 0; a < n; ++a) {
    const float* sign = relation.raw<float>() + a * q;
    Row<T> row{};
    miner.give(row, a, q);
    for (Index p = 0; p < q; ++p)
      for (Index k = 0; k < q; ++k)
        if (sign[p] > 0 && sign[k] < 0 && row.keeps(p, k, filter.range)) all.push_back({a, p, k});
  }
  return all;
}

void give_triplets(Run& run, const Tuples& tuples) {
  std::vector<Triplet> all;
  if (tuples.form == Tuples::Form::triplets)
    all = of_list(tuples);
  else
    visit_float(run.type(), [&]<class T>() { all = of_product<T>(tuples); });
  std::sort(all.begin(), all.end());
  const std::array<const char*, 3> names{"anchor", "positive", "negative"};
  for (std::size_t k = 0; k < 3; ++k) {
    std::vector<Index> members;
    for (const Triplet& t : all) members.push_back(t[k]);
    give(run, names[k], members);
  }
}

void mine(Run& run) {
  const Mining mining(run);
  const Tuples tuples = (*mining.miner)(run.device(), mining.batch());
  if (run.given().has("out.anchor_of_positive")) {
    give_pairs(run, pair_relation(run.device(), tuples, mining.rows(), mining.columns()));
  } else {
    give_triplets(run, tuples);
  }
}

/// How many triplets every anchor has; each of them must be possible.
void give_counts(const Mining& mining, const std::vector<Triplet>& all) {
  std::vector<Index> counts(static_cast<std::size_t>(mining.rows()), 0);
  const Labels& others = mining.others ? *mining.others : mining.labels;
  for (const auto& [a, p, n] : all) {
    ++counts[static_cast<std::size_t>(a)];
    DML_CHECK(
        others[p] == mining.labels[a] && others[n] != mining.labels[a] && (mining.others || a != p),
        "a drawn triplet is none");
  }
  give(mining.run, "triplets_per_anchor", counts);
}

void draw_by_distance(Run& run) {
  const Mining mining(run);
  const Case& given = run.given();
  const auto distance = Registry<Distance>::make("lp", {}, {});
  const auto tape = Tape::infer(run.device());
  const Miner::Batch batch = mining.batch();
  const Var x = tape->input(batch.embedding);
  const Tensor distances =
      (mining.others ? (*distance)(x, tape->input(batch.reference)) : (*distance)(x)).value();
  const Tensor probabilities = negative_probabilities(
      run.device(), distances, relation_of(run.device(), mining.labels, batch.others()),
      batch.embedding.dim(1), given.number("hp.cutoff"), given.number("hp.nonzero_loss_cutoff"));
  run.give("out.negative_probability", probabilities);
  const std::vector<Triplet> all = of_list((*mining.miner)(run.device(), batch));
  const Tensor allowed = given.at("out.negative_probability");
  for (const auto& [a, p, n] : all)
    DML_CHECK(allowed.raw<double>()[a * mining.columns() + n] > 0, "a negative of probability 0");
  give_counts(mining, all);
}

/// The candidates with their bins; the drawn pairs must be as many from every bin as asked for.
void draw_by_bins(Run& run) {
  const Mining mining(run);
  const Case& given = run.given();
  const auto distance = Registry<Distance>::make("lp", {}, {});
  const auto tape = Tape::infer(run.device());
  const Miner::Batch batch = mining.batch();
  const Tensor d = (*distance)(tape->input(batch.embedding)).value().to_host().to(DType::f64);
  const Tensor relation = relation_of(run.device(), mining.labels).to_host();
  const Tensor drawn = (*mining.miner)(run.device(), batch).relation.to_host();
  const Index q = mining.columns(), count = given.integer("hp.num_bins");
  for (const bool positive : {true, false}) {
    const float side = positive ? 1.0F : -1.0F;
    std::vector<Index> places, pairs, which;
    for (Index at = 0; at < relation.size(); ++at)
      if (relation.raw<float>()[at] * side > 0) places.push_back(at);
    EqualBins bins{HUGE_VAL, -HUGE_VAL, count};
    for (const Index at : places) {
      bins.low = std::min(bins.low, d.raw<double>()[at]);
      bins.high = std::max(bins.high, d.raw<double>()[at]);
    }
    std::vector<Index> members(static_cast<std::size_t>(count)), chosen(members);
    for (const Index at : places) {
      which.push_back(bins.of(d.raw<double>()[at]));
      pairs.insert(pairs.end(), {at / q, at % q});
      ++members[static_cast<std::size_t>(which.back())];
      chosen[static_cast<std::size_t>(which.back())] +=
          static_cast<Index>(std::max(0.0F, drawn.raw<float>()[at] * side));
    }
    const std::string name = positive ? "positive" : "negative";
    const Index wanted = given.integer(positive ? "hp.pos_per_bin" : "hp.neg_per_bin");
    for (std::size_t bin = 0; bin < members.size(); ++bin)
      DML_CHECK(chosen[bin] == (members[bin] > 0 ? wanted : 0), name + " pairs per bin");
    std::vector<double> edges;
    for (Index k = 0; k <= count; ++k) edges.push_back(bins.edge(k));
    run.give("out." + name + "_edges", edges);
    run.give("out." + name + "_pairs", Tensor::of<Index>({static_cast<Index>(places.size()), 2},
                                                         std::span<const Index>(pairs)));
    give(run, name + "_bin", which);
  }
}

const std::vector<AddGolden> plain = [] {
  std::vector<AddGolden> all;
  for (const char* op :
       {"angular", "batch_easy_hard", "batch_hard", "embeddings_packaged_as_triplets", "hdc",
        "multi_similarity", "pair_margin", "triplet_margin"})
    all.emplace_back("miners", op, mine);
  return all;
}();
const AddGolden by_distance{"miners", "distance_weighted", draw_by_distance};
const AddGolden by_bins{"miners", "uniform_histogram", draw_by_bins};
const AddGolden random{"miners", "random_triplets", [](Run& run) {
                         const Mining mining(run);
                         give_counts(mining,
                                     of_list((*mining.miner)(run.device(), mining.batch())));
                       }};

}  // namespace
}  // namespace dml::golden
