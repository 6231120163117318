#include "dml/intra_batch/k_reciprocal.hpp"

#include <algorithm>
#include <cmath>

#include "dml/retrieval/search.hpp"

namespace dml::intra_batch {
namespace {

using Rows = std::vector<std::int64_t>;

/// The nearest gallery rows of every query.
class Nearest {
 public:
  Nearest(Device& device, const Tensor& queries, const Tensor& gallery, std::int64_t k)
      : found_(search(device, queries, gallery, {},
                      {.distance = SearchDistance::euclidean, .k = std::min(k, gallery.dim(0))})) {}
  /// Within one set: the row itself stands first, whatever equals it.
  Nearest(Device& device, const Tensor& x, std::int64_t k) : self_(true) {
    Rows own(static_cast<std::size_t>(x.dim(0)));
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<std::int64_t>(i);
    const std::int64_t others = std::min(k - 1, x.dim(0) - 1);
    if (others > 0)
      found_ = search(device, x, x, own, {.distance = SearchDistance::euclidean, .k = others});
  }

  /// The first k rows near row i.
  Rows first(std::int64_t i, std::int64_t k) const {
    Rows rows;
    if (self_) rows.push_back(i);
    for (std::int64_t r = 0; r < found_.k && static_cast<std::int64_t>(rows.size()) < k; ++r)
      if (found_.at(i, r) != Neighbours::none) rows.push_back(found_.at(i, r));
    return rows;
  }
  bool holds(std::int64_t i, std::int64_t k, std::int64_t row) const {
    const Rows rows = first(i, k);
    return std::find(rows.begin(), rows.end(), row) != rows.end();
  }

 private:
  Neighbours found_;
  bool self_ = false;
};

/// Half of k, a half rounded to the even number, plus the row itself.
std::int64_t half(std::int64_t k) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(k) / 2)) + 1;
}

/// Rows near `row` that have it among their own k nearest, of one set.
Rows reciprocal(const Nearest& near, std::int64_t row, std::int64_t k) {
  Rows rows = near.first(row, k);
  std::erase_if(rows, [&](std::int64_t one) { return !near.holds(one, k, row); });
  return rows;
}

/// `found`, and the reciprocal neighbours of its members that share more than two thirds with it.
Rows expanded(const Nearest& near, const Rows& found, std::int64_t k) {
  Rows all = found;
  for (const std::int64_t candidate : found) {
    const Rows rows = reciprocal(near, candidate, k);
    const auto shared = std::count_if(rows.begin(), rows.end(), [&](std::int64_t one) {
      return std::find(found.begin(), found.end(), one) != found.end();
    });
    if (3 * shared > 2 * static_cast<std::int64_t>(rows.size()))
      all.insert(all.end(), rows.begin(), rows.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

double squared(const Tensor& a, std::int64_t i, const Tensor& b, std::int64_t j) {
  double total = 0;
  visit_float(a.dtype(), [&]<class T>() {
    const auto x = a.row<T>(i), y = b.row<T>(j);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double apart = static_cast<double>(x[k]) - static_cast<double>(y[k]);
      total += apart * apart;
    }
  });
  return total;
}

/// The nearest of `rows`, then of `fill`, `size` in all; the query's own row stands first.
Rows nearest_first(Rows rows, const Rows& fill, const Tensor& query, std::int64_t i,
                   const Tensor& gallery, std::int64_t own, std::int64_t size) {
  std::vector<std::pair<double, std::int64_t>> order;
  for (const std::int64_t row : rows)
    order.emplace_back(row == own ? -1 : squared(query, i, gallery, row), row);
  std::sort(order.begin(), order.end());
  rows.clear();
  for (const auto& [distance, row] : order) rows.push_back(row);
  for (const std::int64_t row : fill)
    if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
  if (static_cast<std::int64_t>(rows.size()) > size) rows.resize(static_cast<std::size_t>(size));
  return rows;
}

}  // namespace

std::vector<Rows> k_reciprocal_batches(Device& device, const Tensor& x,
                                       const ReciprocalOptions& options) {
  const std::int64_t k = options.k1 + 1;
  const Nearest near(device, x, std::max(k, options.size));
  std::vector<Rows> batches;
  for (std::int64_t i = 0; i < x.dim(0); ++i)
    batches.push_back(nearest_first(expanded(near, reciprocal(near, i, k), half(options.k1)),
                                    near.first(i, options.size), x, i, x, i, options.size));
  return batches;
}

std::vector<Rows> k_reciprocal_batches(Device& device, const Tensor& queries, const Tensor& gallery,
                                       const ReciprocalOptions& options) {
  const std::int64_t k = options.k1 + 1, size = options.size - 1;
  const Nearest forward(device, queries, gallery, std::max(k, size));
  const Nearest backward(device, gallery, queries, k);
  const Nearest within(device, gallery, half(options.k1));
  std::vector<Rows> batches;
  for (std::int64_t i = 0; i < queries.dim(0); ++i) {
    Rows mutual = forward.first(i, k);
    std::erase_if(mutual, [&](std::int64_t row) { return !backward.holds(row, k, i); });
    batches.push_back(nearest_first(expanded(within, mutual, half(options.k1)),
                                    forward.first(i, size), queries, i, gallery, -1, size));
  }
  return batches;
}

}  // namespace dml::intra_batch
