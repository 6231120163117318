#include "dml/divide/miners.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "ops/clamp.hpp"
#include "ops/distance.hpp"
#include "ops/lines.hpp"

namespace dml::division {
namespace {

void weigh(Device& device, const Tensor& distances, const Tensor& labels, const WeightRow& row,
           Tensor& weights) {
  all_lines(device, distances.dtype(), row.n, 16 * row.n,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i)
                row(distances.raw<T>() + i * row.n, labels.raw<std::int64_t>(), i,
                    weights.raw<T>() + i * row.n);
            });
}

void draw(Device& device, const Tensor& weights, const Tensor& uniform, const DrawRow& row,
          Tensor& chosen) {
  all_lines(device, weights.dtype(), row.n, 16 * row.n,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i)
                row(weights.raw<T>() + i * row.n, uniform.raw<T>() + i * row.n,
                    chosen.raw<std::int64_t>() + i * row.q);
            });
}

void take_nearest(Device& device, const Tensor& distances, const Tensor& labels,
                  const NearestRow& row, Triplets& t) {
  all_lines(device, distances.dtype(), row.n, 16 * row.n,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i)
                row(distances.raw<T>() + i * row.n, labels.raw<std::int64_t>(), i,
                    {t.positives.raw<std::int64_t>() + i * row.q,
                     t.negatives.raw<std::int64_t>() + i * row.q},
                    t.filled.raw<T>() + i * row.q);
            });
}

void take_one(Device& device, const Tensor& distances, const Tensor& uniform, const Tensor& labels,
              const OneRow& row, Triplets& t) {
  all_lines(device, distances.dtype(), row.n, 16 * row.n,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i)
                row(distances.raw<T>() + i * row.n, uniform.raw<T>() + i * row.n,
                    labels.raw<std::int64_t>(), i,
                    {t.positives.raw<std::int64_t>() + i, t.negatives.raw<std::int64_t>() + i},
                    t.filled.raw<T>() + i);
            });
}

const bool miners_added = kernel::negative_weights.add(Backend::reference, weigh) &&
                          kernel::negative_weights.add(Backend::cpu, weigh) &&
                          kernel::draw_weighted.add(Backend::reference, draw) &&
                          kernel::draw_weighted.add(Backend::cpu, draw) &&
                          kernel::mine_nearest.add(Backend::reference, take_nearest) &&
                          kernel::mine_nearest.add(Backend::cpu, take_nearest) &&
                          kernel::mine_one.add(Backend::reference, take_one) &&
                          kernel::mine_one.add(Backend::cpu, take_one);

/// Rows of the class of every row, itself not counted, ascending.
std::vector<std::vector<std::int64_t>> positives_of(const Labels& labels) {
  std::vector<std::vector<std::int64_t>> lists(static_cast<std::size_t>(labels.size()));
  for (std::int64_t i = 0; i < labels.size(); ++i)
    for (std::int64_t j = 0; j < labels.size(); ++j)
      if (i != j && labels[i] == labels[j]) lists[static_cast<std::size_t>(i)].push_back(j);
  return lists;
}

std::int64_t positive_pairs(const Labels& labels) {
  std::int64_t pairs = 0;
  for (const auto& list : positives_of(labels)) pairs += static_cast<std::int64_t>(list.size());
  return pairs;
}

/// [n, n] uniform numbers of a stream, of the type and place of x.
Tensor uniform_numbers(const Var& like, std::int64_t n, const Random& random) {
  Tensor values = Tensor::empty({n, n}, DType::f64);
  std::uint64_t i = 0;
  for (double& value : values.data<double>()) value = random.uniform(i++);
  return like.constant_like(values.to(like.dtype())).value();
}

/// n q empty places, the anchors filled in.
Triplets places(const Var& like, std::int64_t n, std::int64_t q) {
  Device& device = like.device();
  std::vector<std::int64_t> anchors;
  for (std::int64_t i = 0; i < n * q; ++i) anchors.push_back(i / q);
  return {device.upload(Tensor::of<std::int64_t>({n * q}, std::span<const std::int64_t>(anchors))),
          device.empty({n * q}, DType::i64), device.empty({n * q}, DType::i64),
          device.empty({n * q}, like.dtype())};
}

void require_pairs(const Labels& labels) {
  DML_CHECK(positive_pairs(labels) > 0,
            fmt::format("divide: no two of the {} images of a batch are of one class, so there is "
                        "no triplet",
                        labels.size()));
  DML_CHECK(labels.distinct() > 1,
            "divide: all images of a batch are of one class, so there is no negative");
}

}  // namespace

Var mining_distances(const Var& x, double cutoff) {
  const Var rows = x.detached();
  const Var squared = clamp_min(squared_distance_by_product(rows, rows), 1e-4);
  return clamp_min(square_root(squared), cutoff);
}

Tensor negative_weights(const Var& distances, const Labels& labels, std::int64_t dim,
                        const WeightOptions& options) {
  Device& device = distances.device();
  Tensor weights = device.empty(distances.shape(), distances.dtype());
  kernel::negative_weights(device, distances.value(), device.upload(labels.tensor()),
                           {options, labels.size(), dim}, weights);
  return weights;
}

std::int64_t negatives_per_anchor(const Labels& labels) {
  const std::int64_t n = labels.size();
  std::int64_t largest = 0;
  for (const auto& list : positives_of(labels))
    largest = std::max(largest, static_cast<std::int64_t>(list.size()) + 1);
  const std::int64_t mean = (2 * positive_pairs(labels) + n) / (2 * n);  // rounded half up
  return std::min(std::max<std::int64_t>(1, mean), n - largest);
}

Triplets pair_drawn(const Labels& labels, const Tensor& negatives, const Random& random,
                    const Var& like) {
  const std::int64_t n = labels.size(), q = negatives.dim(1);
  Triplets triplets = places(like, n, q);
  triplets.negatives = negatives.reshape({n * q});
  Tensor chosen({n * q}, DType::i64), filled({n * q}, DType::f64);
  RandomSequence sequence(random);
  std::int64_t row = 0;
  for (std::vector<std::int64_t>& list : positives_of(labels)) {
    const auto own = static_cast<std::int64_t>(list.size());
    if (own > q) {
      sequence.shuffle(list);
    } else if (own > 0 && own < q) {
      const std::vector<std::int64_t> all = list;
      list.resize(static_cast<std::size_t>(q));
      for (std::int64_t& one : list) one = all[sequence.below(all.size())];
    }
    for (std::int64_t k = 0; k < q && own > 0; ++k) {
      chosen.raw<std::int64_t>()[row * q + k] = list[static_cast<std::size_t>(k)];
      filled.raw<double>()[row * q + k] = 1;
    }
    ++row;
  }
  triplets.positives = like.device().upload(chosen);
  triplets.filled = like.device().upload(filled.to(like.dtype()));
  return triplets;
}

Triplets mine_distance_weighted(const Var& x, const Labels& labels, const WeightOptions& options,
                                const Random& random) {
  require_pairs(labels);
  const std::int64_t n = labels.size(), q = negatives_per_anchor(labels);
  const Tensor weights =
      negative_weights(mining_distances(x, options.cutoff), labels, x.dim(1), options);
  Tensor chosen = x.device().empty({n, q}, DType::i64);
  kernel::draw_weighted(x.device(), weights, uniform_numbers(x, n, random.split(0)), {n, q},
                        chosen);
  return pair_drawn(labels, chosen, random.split(1), x);
}

Triplets mine_easypeasy(const Var& x, const Labels& labels, double cutoff) {
  const std::int64_t n = labels.size();
  const std::int64_t q = std::max<std::int64_t>(1, positive_pairs(labels) / n);
  Triplets triplets = places(x, n, q);
  kernel::mine_nearest(x.device(), mining_distances(x, 0).value(),
                       x.device().upload(labels.tensor()), {n, q, cutoff}, triplets);
  return triplets;
}

Triplets mine_one(const Var& x, const Labels& labels, const std::string& name, double margin,
                  const Random& random) {
  const std::int64_t n = labels.size();
  Triplets triplets = places(x, n, 1);
  kernel::mine_one(x.device(), mining_distances(x, 0).value(), uniform_numbers(x, n, random),
                   x.device().upload(labels.tensor()),
                   {n, margin, name[0], name.find('S') != std::string::npos}, triplets);
  return triplets;
}

}  // namespace dml::division
