#include "dml/group_loss/group_loss.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "dml/group_loss/pearson.hpp"
#include "dml/group_loss/replicator.hpp"
#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/gather.hpp"
#include "ops/log.hpp"
#include "ops/softmax.hpp"

namespace dml {
namespace {

/// Added to probabilities before the logarithm.
constexpr double smallest = 1e-12;

/// Which column of the states belongs to the label of every row, [n, 1] i64.
Tensor label_columns(const Labels& labels, const std::vector<std::int64_t>& columns) {
  Tensor result = Tensor::empty({labels.size(), 1}, DType::i64);
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const auto found = std::find(columns.begin(), columns.end(), labels[i]);
    DML_CHECK(found != columns.end(),
              fmt::format("group loss: row {} is of class {}, which is not among the {} given", i,
                          labels[i], columns.size()));
    result.raw<std::int64_t>()[i] = found - columns.begin();
  }
  return result;
}

/// [n, 1], `at_anchor` in the rows of the anchors, 1 - at_anchor elsewhere.
Tensor anchor_column(std::int64_t n, const std::vector<std::int64_t>& anchors, DType type,
                     int at_anchor) {
  Tensor result = Tensor::empty({n, 1}, type);
  visit_float(type, [&]<class T>() {
    std::fill_n(result.raw<T>(), n, static_cast<T>(1 - at_anchor));
    for (const std::int64_t row : anchors) {
      DML_CHECK(row >= 0 && row < n, fmt::format("group loss: anchor {} in a batch of {}", row, n));
      result.raw<T>()[row] = static_cast<T>(at_anchor);
    }
  });
  return result;
}

Var uniform_rows(const Var& like, std::int64_t n, std::int64_t classes) {
  Tensor rows = Tensor::empty({n, classes}, like.dtype());
  visit_float(like.dtype(), [&]<class T>() {
    std::fill_n(rows.raw<T>(), rows.size(), static_cast<T>(1.0 / static_cast<double>(classes)));
  });
  return like.constant_like(rows);
}

Var prior_rows(const GroupLossInput& input, const GroupLossOptions& options,
               const std::vector<std::int64_t>& columns) {
  const std::int64_t n = input.labels.size();
  if (options.prior == GroupPrior::uniform)
    return uniform_rows(input.features, n, input.labels.classes());
  const Var probability = softmax(input.logits, options.temperature);
  if (options.prior == GroupPrior::softmax) return probability;
  const auto count = static_cast<std::int64_t>(columns.size());
  return normalise_rows(index_select(probability, 1, Tensor::of<std::int64_t>({count}, columns)));
}

/// One-hot in the rows of the anchors, the prior elsewhere.
Var with_anchors(const Var& prior, const Tensor& columns,
                 const std::vector<std::int64_t>& anchors) {
  const std::int64_t n = prior.dim(0);
  const Var free = prior.constant_like(anchor_column(n, anchors, prior.dtype(), 0));
  const Var known = prior.constant_like(anchor_column(n, anchors, prior.dtype(), 1));
  return scatter_add(multiply(prior, broadcast_to(free, prior.shape())), 1, columns, known);
}

void check(const GroupLossInput& input) {
  const std::int64_t n = input.labels.size();
  DML_CHECK(
      input.features.rank() == 2 && input.features.dim(0) == n,
      fmt::format("group loss: features {} for {} labels", to_string(input.features.shape()), n));
  DML_CHECK(input.logits.shape() == (Shape{n, input.labels.classes()}),
            fmt::format("group loss: logits {} for {} rows and {} classes",
                        to_string(input.logits.shape()), n, input.labels.classes()));
}

}  // namespace

GroupPrior group_prior_of(const std::string& name) {
  if (name == "softmax") return GroupPrior::softmax;
  if (name == "uniform") return GroupPrior::uniform;
  if (name == "only_classes") return GroupPrior::only_classes;
  throw UsageError(fmt::format("no prior named '{}'; known: softmax, uniform, only_classes", name));
}

GroupLossTerms group_loss(const GroupLossInput& input, const GroupLossOptions& options) {
  check(input);
  std::vector<std::int64_t> columns = input.columns;
  if (columns.empty()) columns = input.labels.present();
  const bool cut = options.prior == GroupPrior::only_classes;
  const Tensor label_column = cut ? label_columns(input.labels, columns)
                                  : input.labels.tensor().reshape({input.labels.size(), 1});

  GroupLossTerms terms;
  terms.similarity = pearson_similarity(input.features);
  terms.states.push_back(
      with_anchors(prior_rows(input, options, columns), label_column, input.anchors));
  for (std::int64_t t = 0; t < options.iterations; ++t)
    terms.states.push_back(replicator_step(terms.similarity, terms.states.back()));

  const Var likelihood = gather(terms.states.back(), 1, label_column);  // [n, 1]
  terms.group = -mean(log(likelihood, smallest));
  terms.loss = options.scaling * terms.group;
  if (options.ce_weight != 0) {
    terms.cross_entropy = cross_entropy(input.logits, input.labels.tensor());
    terms.loss = terms.loss + options.ce_weight * terms.cross_entropy;
  }
  return terms;
}

}  // namespace dml
