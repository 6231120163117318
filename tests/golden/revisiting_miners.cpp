// Miners of Revisiting-DML: what they draw from.
#include <set>

#include "dml/revisiting/miners.hpp"
#include "tests/golden/module.hpp"

namespace dml::golden {
namespace {

using revisiting::Choice;
using revisiting::ChoiceRow;

/// A case of a miner: distances and labels on the device, and its anchors.
struct Mining {
  explicit Mining(Run& given)
      : run(given), labels(labels_of(given)), of(given.device().upload(labels.tensor())) {
    for (std::int64_t i = 0; i < labels.size(); ++i)
      if (std::count(labels.of().begin(), labels.of().end(), labels[i]) > 1) anchors.push_back(i);
    if (run.given().has("in.embeddings"))
      distance = revisiting::distances(run.constant("embeddings"));
  }

  /// With other labels.
  void relabel(const std::vector<std::int64_t>& changed) {
    labels = Labels(changed, labels.classes());
    of = run.device().upload(labels.tensor());
  }

  Tensor table(const ChoiceRow& rule, const Tensor& positive = {}, const Tensor& bins = {}) const {
    return revisiting::choices(run.device(), distance, of, rule, positive, bins);
  }
  Tensor weighted() const {
    Tensor p = run.device().empty(distance.shape(), distance.dtype());
    kernel::distance_weighting(run.device(), distance, of, of,
                               {.dim = static_cast<double>(run.tensor("in.embeddings").dim(1)),
                                .cutoff = run.given().number("lower_cutoff", 0.5)},
                               p);
    return p;
  }

  void give_anchors() const {
    run.give("out.anchors", Tensor::of<std::int64_t>({std::ssize(anchors)}, anchors));
  }
  /// The rows of a table that belong to anchors, if the file has it.
  void give_rows(const std::string& name, const Tensor& whole) const {
    if (!run.given().has(name)) return;
    const Tensor host = run.device().dense(whole).to_host();
    Tensor rows({std::ssize(anchors), host.dim(1)}, host.dtype());
    for (std::size_t i = 0; i < anchors.size(); ++i)
      std::copy_n(
          host.raw_bytes() +
              static_cast<std::size_t>(anchors[i] * host.dim(1)) * item_size(host.dtype()),
          static_cast<std::size_t>(host.dim(1)) * item_size(host.dtype()),
          rows.raw_bytes() + i * static_cast<std::size_t>(host.dim(1)) * item_size(host.dtype()));
    run.give(name, rows.to(run.given().at(name).dtype()));
  }
  void give_whole(const std::string& name, const Tensor& whole) const {
    if (run.given().has(name)) run.give(name, whole);
  }
  /// Distances as the rule sees them, `cutoff` at least.
  void give_distances(double cutoff) const {
    Tensor host = run.device().dense(distance).to_host().clone();
    visit_float(host.dtype(), [&]<class T>() {
      for (T& value : host.data<T>()) value = std::max(value, static_cast<T>(cutoff));
    });
    give_whole("out.distances", host);
  }

  Run& run;
  Labels labels;
  Tensor of, distance;
  std::vector<std::int64_t> anchors;
};

const AddGolden distance{"revisiting", "miner_distance", [](Run& run) {
                           const Mining m(run);
                           m.give_distances(run.given().number("lower_cutoff", 0.5));
                           m.give_whole("out.prob", m.weighted());
                           m.give_whole("out.prob_positive",
                                        m.table({.choice = Choice::positives_or_self}));
                         }};

const AddGolden random_distance{
    "revisiting", "miner_random_distance", [](Run& run) {
      Mining m(run);
      std::vector<std::int64_t> changed;
      for (const std::int64_t i : run.tensor("in.permutation").data<std::int64_t>())
        changed.push_back(m.labels[i]);
      m.relabel(changed);
      run.give("out.permuted_labels", m.labels.tensor());
      m.give_anchors();
      m.give_rows("out.prob", m.weighted());
      m.give_rows("out.prob_positive", m.table({.choice = Choice::positives_or_self}));
    }};

const AddGolden rho{"revisiting", "miner_rho_distance", [](Run& run) {
                      const Mining m(run);
                      const double cp = run.given().number("cp", 0.2);
                      const Tensor of_class = m.table({.choice = Choice::positives});
                      m.give_anchors();
                      m.give_distances(run.given().number("lower_cutoff", 0.5));
                      run.give("out.prob_coin", {1 - cp, cp});
                      m.give_rows("out.prob", m.weighted());
                      m.give_rows("out.prob_positive", of_class);
                      m.give_rows("out.push_prob_negative", of_class);
                    }};

const AddGolden semihard{
    "revisiting", "miner_semihard", [](Run& run) {
      const Mining m(run);
      const std::int64_t n = m.labels.size();
      const double margin = run.given().number("margin", 0.2);
      m.give_distances(0);
      const Tensor positives = m.table({.choice = Choice::positives});
      run.give("out.prob_positive", positives);
      const Tensor p = run.device().dense(positives).to_host().to(DType::f64);
      Tensor all({n, n, n}, DType::f64);  // [anchor, positive, negative]
      for (std::int64_t k = 0; k < n; ++k) {
        const std::vector<std::int64_t> same(static_cast<std::size_t>(n), k);
        const Tensor table =
            run.device()
                .dense(m.table({.choice = Choice::semihard_negatives, .margin = margin},
                               run.device().upload(Tensor::of<std::int64_t>({n}, same))))
                .to_host()
                .to(DType::f64);
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t j = 0; j < n; ++j)
            if (p.raw<double>()[i * n + k] > 0)
              all.raw<double>()[(i * n + k) * n + j] = table.raw<double>()[i * n + j];
      }
      run.give("out.prob_negative_given_positive", all);
    }};

const AddGolden softhard{"revisiting", "miner_softhard", [](Run& run) {
                           const Mining m(run);
                           m.give_anchors();
                           m.give_distances(0);
                           m.give_rows("out.prob_positive",
                                       m.table({.choice = Choice::far_positives}));
                           m.give_rows("out.prob", m.table({.choice = Choice::near_negatives}));
                         }};

const AddGolden parametric{
    "revisiting", "miner_parametric", [](Run& run) {
      const Mining m(run);
      const std::vector<double> limits = run.given().numbers("support_lim");
      const revisiting::Support support{.points = run.given().integer("n_support", 10),
                                        .low = limits.at(0),
                                        .high = limits.at(1),
                                        .mode = run.given().text("mode", "uniform")};
      const std::vector<double> weights = support.weights();
      m.give_anchors();
      run.give("out.support", support.places());
      run.give("out.sample_distribution", weights);
      const Tensor bins = run.device().upload(
          Tensor::of<double>({std::ssize(weights)}, std::span<const double>(weights))
              .to(run.type()));
      m.give_rows("out.prob", m.table({.choice = Choice::binned_negatives,
                                       .supports = support.points,
                                       .low = support.low,
                                       .high = support.high},
                                      {}, bins));
      m.give_rows("out.prob_positive", m.table({.choice = Choice::positives}));
    }};

/// 1 where the table has a chance, as the masks of the file.
Tensor mask_of(const Tensor& table) {
  Tensor mask(table.shape(), DType::i64);
  const Tensor host = table.to_host().dense().to(DType::f64);
  for (std::int64_t i = 0; i < mask.size(); ++i)
    mask.raw<std::int64_t>()[i] = host.raw<double>()[i] > 0 ? 1 : 0;
  return mask;
}

void sets(Run& run) {
  const Mining m(run);
  const Tensor positives = m.table({.choice = Choice::positives});
  m.give_anchors();
  m.give_rows("out.prob_positive", positives);
  m.give_rows("out.positive_mask", mask_of(positives));
  m.give_rows("out.negative_mask", mask_of(m.table({.choice = Choice::negatives})));
}
const AddGolden npair{"revisiting", "miner_npair", sets};
const AddGolden lifted{"revisiting", "miner_lifted", sets};

/// The candidates are a set: they are handed in in the order of the file where they are the same.
const AddGolden random{"revisiting", "miner_random", [](Run& run) {
                         const Labels labels = labels_of(run);
                         const revisiting::NumberedTriplets all(labels);
                         std::set<std::array<std::int64_t, 3>> own, stored;
                         for (std::int64_t i = 0; i < all.count(); ++i) own.insert(all.at(i));
                         const Tensor file = run.tensor("out.candidates");
                         for (std::int64_t i = 0; i < file.dim(0); ++i) {
                           const auto row = file.row<std::int64_t>(i);
                           stored.insert({row[0], row[1], row[2]});
                         }
                         Tensor given({all.count(), 3}, DType::i64);
                         std::int64_t at = 0;
                         for (const auto& one : own)
                           for (const std::int64_t value : one)
                             given.raw<std::int64_t>()[at++] = value;
                         run.give("out.candidates", own == stored ? file : given);
                         run.give("out.n_draws", Tensor::of<std::int64_t>({1}, {labels.size()}));
                       }};

/// A class, then three rows of it: the product of the chances.
const AddGolden intra{
    "revisiting", "miner_intra_random", [](Run& run) {
      const Labels labels = labels_of(run);
      const std::int64_t n = labels.size();
      Tensor p({n, n, n}, DType::f64);
      for (std::int64_t a = 0; a < n; ++a) {
        const double size =
            static_cast<double>(std::count(labels.of().begin(), labels.of().end(), labels[a]));
        for (std::int64_t b = 0; b < n; ++b)
          for (std::int64_t c = 0; c < n; ++c)
            if (labels[a] == labels[b] && labels[a] == labels[c])
              p.raw<double>()[(a * n + b) * n + c] =
                  1 / (static_cast<double>(labels.distinct()) * size * size * size);
      }
      run.give("out.prob", p);
      run.give("out.n_draws", Tensor::of<std::int64_t>({1}, {n}));
    }};

}  // namespace
}  // namespace dml::golden
