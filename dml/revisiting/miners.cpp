#include "dml/revisiting/miners.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "engine/names.hpp"
#include "ops/arithmetic.hpp"
#include "ops/categorical.hpp"
#include "ops/euclidean.hpp"
#include "ops/lines.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml::revisiting {
namespace {

using List = std::vector<std::int64_t>;

Tensor upload(const Device& device, const List& list) {
  return device.upload(Tensor::of<std::int64_t>({std::ssize(list)}, list));
}

/// The rows of every class that occurs.
std::vector<List> members_of(const Labels& labels) {
  std::vector<List> members(labels.present().size());
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const auto at = std::lower_bound(labels.present().begin(), labels.present().end(), labels[i]);
    members[static_cast<std::size_t>(at - labels.present().begin())].push_back(i);
  }
  return members;
}

/// 1 for every row whose class has another one.   [n]
Tensor anchors_mask(const Labels& labels, DType type) {
  Tensor mask({labels.size()}, type);
  visit_float(type, [&]<class T>() {
    for (const List& rows : members_of(labels))
      for (const std::int64_t i : rows) mask.raw<T>()[i] = rows.size() > 1 ? T(1) : T(0);
  });
  return mask;
}

List in_order(std::int64_t n) {
  List list;
  for (std::int64_t i = 0; i < n; ++i) list.push_back(i);
  return list;
}

/// The tables of the negatives and the draws from them.
struct Draws {
  Device& device;
  const Labels& labels;
  Tensor of;
  Random random;

  /// All rows as anchors; void where a draw found nothing, or where the row is no anchor.
  Triplets triplets(const Drawn& positive, const Drawn& negative, bool lone_anchors) const {
    const auto tape = Tape::infer(device);
    Var counted = tape->input(positive.found) * tape->input(negative.found);
    if (!lone_anchors) counted = counted * tape->input(anchors_mask(labels, counted.dtype()));
    return {upload(device, in_order(labels.size())), positive.place, negative.place,
            counted.value()};
  }
  Drawn positive(const Tensor& table) const { return categorical(device, table, random.split(1)); }
  Drawn negative(const Tensor& table) const { return categorical(device, table, random.split(0)); }
};

/// As many different triplets as there are rows, or all.
Triplets random_triplets(Device& device, const Labels& labels, const Random& random) {
  const NumberedTriplets all(labels);
  const std::int64_t wanted = std::min(labels.size(), all.count());
  std::set<std::int64_t> chosen;  // Floyd: the last `wanted` numbers in turn
  RandomSequence sequence(random);
  for (std::int64_t last = all.count() - wanted; last < all.count(); ++last) {
    const auto drawn =
        static_cast<std::int64_t>(sequence.below(static_cast<std::uint64_t>(last + 1)));
    if (!chosen.insert(drawn).second) chosen.insert(last);
  }
  std::array<List, 3> lists;
  for (const std::int64_t number : chosen)
    for (std::size_t k = 0; k < 3; ++k) lists[k].push_back(all.at(number)[k]);
  return {upload(device, lists[0]), upload(device, lists[1]), upload(device, lists[2])};
}

/// A random class, and three independent rows of it, for every row of the batch.
Triplets intra_random(Device& device, const Labels& labels, const Random& random) {
  const std::vector<List> members = members_of(labels);
  RandomSequence sequence(random);
  std::array<List, 3> lists;
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const List& rows = members[sequence.below(members.size())];
    for (List& list : lists) list.push_back(rows[sequence.below(rows.size())]);
  }
  return {upload(device, lists[0]), upload(device, lists[1]), upload(device, lists[2])};
}

Tensor distance_table(const Draws& draws, const Tensor& distance, std::int64_t dim, double cutoff) {
  Tensor p = draws.device.empty(distance.shape(), distance.dtype());
  kernel::distance_weighting(draws.device, distance, draws.of, draws.of,
                             {.dim = static_cast<double>(dim), .cutoff = cutoff}, p);
  return p;
}

/// With chance cp an anchor is its own positive, and its negative is of its class: pushed apart.
Triplets rho_triplets(const Draws& draws, const Tensor& distance, std::int64_t dim,
                      const MinerOptions& options) {
  const std::int64_t n = draws.labels.size();
  Device& device = draws.device;
  Tensor coin({n, 1}, DType::f64), self({n, n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) {
    const bool push = draws.random.split(2).uniform(static_cast<std::uint64_t>(i)) < options.cp;
    coin.raw<double>()[i] = push ? 1 : 0;
    self.raw<double>()[i * n + i] = coin.raw<double>()[i];
  }
  const auto tape = Tape::infer(device);
  const Var pushed = broadcast_to(tape->input(coin.to(distance.dtype())), {n, n});
  const Var of_class =
      tape->input(choices(device, distance, draws.of, {.choice = Choice::positives}));
  const Var weighted = tape->input(distance_table(draws, distance, dim, options.lower_cutoff));
  const Var negatives = pushed * of_class + (1.0 - pushed) * weighted;
  const Var positives = tape->input(self.to(distance.dtype())) + (1.0 - pushed) * of_class;
  return draws.triplets(draws.positive(positives.value()), draws.negative(negatives.value()),
                        false);
}

Triplets permuted(const Var& v, const Labels& labels, const Random& random,
                  const MinerOptions& options) {
  List shuffled(labels.of().begin(), labels.of().end());
  RandomSequence(random.split(3)).shuffle(shuffled);
  const Labels wrong(shuffled, labels.classes());
  MinerOptions plain = options;
  plain.miner = "distance";
  Triplets found = mine(v, wrong, random, plain);
  const auto tape = Tape::infer(v.device());
  const Tensor mask = anchors_mask(wrong, found.counted.dtype());
  found.counted = (tape->input(found.counted) * tape->input(mask)).value();
  return found;
}

void fill_table(Device& device, const Tensor& distance, const Tensor& labels, const ChoiceRow& rule,
                const Tensor& positive, const Tensor& bins, Tensor& p) {
  const std::int64_t n = distance.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  all_lines(device, p.dtype(), n, 4 * n, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      rule.row(distance.raw<T>() + i * n, of, n, i,
               positive.defined() ? positive.raw<std::int64_t>()[i] : i,
               bins.defined() ? bins.raw<T>() : nullptr, p.raw<T>() + i * n);
  });
}

const bool miners_added = kernel::miner_choices.add(Backend::reference, fill_table) &&
                          kernel::miner_choices.add(Backend::cpu, fill_table);

}  // namespace

NumberedTriplets::NumberedTriplets(const Labels& labels)
    : rows_(labels.size()), members_(members_of(labels)) {
  for (const List& rows : members_)
    first_.push_back(first_.back() +
                     std::ssize(rows) * (std::ssize(rows) - 1) * (rows_ - std::ssize(rows)));
}

std::array<std::int64_t, 3> NumberedTriplets::at(std::int64_t number) const {
  const auto after = std::upper_bound(first_.begin(), first_.end(), number);
  const auto c = static_cast<std::size_t>(after - first_.begin() - 1);
  const List& rows = members_[c];
  const std::int64_t others = rows_ - std::ssize(rows), rest = number - first_[c];
  const std::int64_t pair = rest / others, a = pair / (std::ssize(rows) - 1);
  const std::int64_t p = pair % (std::ssize(rows) - 1);
  std::int64_t negative = rest % others;  // among the rows of other classes
  for (const std::int64_t row : rows)
    if (row <= negative) ++negative;
  return {rows[static_cast<std::size_t>(a)], rows[static_cast<std::size_t>(p < a ? p : p + 1)],
          negative};
}

std::vector<double> Support::places() const {
  std::vector<double> result;
  for (std::int64_t k = 0; k < points; ++k)
    result.push_back(low + (high - low) * static_cast<double>(k) / static_cast<double>(points - 1));
  return result;
}

std::vector<double> Support::weights() const {
  std::vector<double> result;
  for (const double t : places()) {
    const bool wanted = mode == "hards"       ? t <= 0.5
                        : mode == "veryhards" ? t <= 0.3
                        : mode == "semihards" ? t >= 0.3 && t <= 0.7
                                              : true;
    result.push_back(wanted ? 1 : 1e-15);
  }
  if (mode == "uniform") result.pop_back();
  double total = 0;
  for (const double weight : result) total += weight;
  for (double& weight : result) weight /= total;
  return result;
}

Tensor distances(const Var& v) {
  const Var fixed = v.detached();
  return v.device().dense(euclidean(fixed).value());
}

Tensor choices(Device& device, const Tensor& distance, const Tensor& labels, const ChoiceRow& rule,
               const Tensor& positive, const Tensor& bins) {
  Tensor p = device.empty(distance.shape(), distance.dtype());
  kernel::miner_choices(device, distance, labels, rule, positive, bins, p);
  return p;
}

Triplets mine(const Var& v, const Labels& labels, const Random& random,
              const MinerOptions& options) {
  Device& device = v.device();
  if (options.miner == "random") return random_triplets(device, labels, random);
  if (options.miner == "intra_random") return intra_random(device, labels, random);
  if (options.miner == "random_distance") return permuted(v, labels, random, options);
  const Draws draws{device, labels, device.upload(labels.tensor()), random};
  const Tensor d = distances(v);
  const auto table = [&](const ChoiceRow& rule, const Tensor& positive = {},
                         const Tensor& bins = {}) {
    return choices(device, d, draws.of, rule, positive, bins);
  };
  if (options.miner == "distance")
    return draws.triplets(draws.positive(table({.choice = Choice::positives_or_self})),
                          draws.negative(distance_table(draws, d, v.dim(1), options.lower_cutoff)),
                          true);
  if (options.miner == "rho_distance") return rho_triplets(draws, d, v.dim(1), options);
  if (options.miner == "softhard")
    return draws.triplets(draws.positive(table({.choice = Choice::far_positives})),
                          draws.negative(table({.choice = Choice::near_negatives})), false);
  const Drawn positive = draws.positive(table({.choice = Choice::positives}));
  if (options.miner == "semihard")
    return draws.triplets(
        positive,
        draws.negative(table({.choice = Choice::semihard_negatives, .margin = options.margin},
                             positive.place)),
        false);
  if (options.miner == "parametric") {
    const Support& support = options.support;
    const std::vector<double> weights = support.weights();
    const Tensor bins = device.upload(
        Tensor::of<double>({std::ssize(weights)}, std::span<const double>(weights)).to(v.dtype()));
    return draws.triplets(positive,
                          draws.negative(table({.choice = Choice::binned_negatives,
                                                .supports = support.points,
                                                .low = support.low,
                                                .high = support.high},
                                               {}, bins)),
                          false);
  }
  const std::vector<std::string> known{"random",       "semihard",       "softhard",
                                       "distance",     "parametric",     "rho_distance",
                                       "intra_random", "random_distance"};
  throw UsageError("no miner of triplets named '" + options.miner + "'" +
                   suggestion(options.miner, known));
}

NegativeSets mine_sets(const Var& v, const Labels& labels, const Random& random) {
  const std::int64_t n = labels.size();
  List positives(static_cast<std::size_t>(n));
  for (const List& rows : members_of(labels))
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      positives[row] = rows[i];
      if (rows.size() < 2) continue;
      const std::size_t other = random.below(row, rows.size() - 1);
      positives[row] = rows[other < i ? other : other + 1];
    }
  Tensor without({n, n}, DType::u8);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      without.raw<std::uint8_t>()[i * n + j] = labels[i] == labels[j] ? 1 : 0;
  Device& device = v.device();
  return {upload(device, in_order(n)), upload(device, positives), device.upload(without),
          device.upload(anchors_mask(labels, v.dtype()))};
}

}  // namespace dml::revisiting
