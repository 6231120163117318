#include "dml/lm_metric/rows.hpp"

#include <algorithm>

#include "ops/lines.hpp"

namespace dml {
namespace {

using lm::PrecisionRow;
using lm::SmoothRank;

/// Sums over the other items of item i: of its class, and of all.
template <class T> struct Ranks { T same = 0, all = 0; };

/// One query with the classes of all items.
template <class T> struct Query {
  const T* s;  // its row of similarities
  const std::int64_t* labels;
  std::int64_t n, own;  // own: its class
  SmoothRank rank;

  std::int64_t relevant() const { return std::count(labels, labels + n, own); }
  Ranks<T> ranks(std::int64_t i) const {
    Ranks<T> result;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const T step = rank.step(s[j], s[i]);
      result.all += step;
      if (labels[j] == own) result.same += step;
    }
    return result;
  }
};

template <class T>
Query<T> query_of(const Tensor& similarity, const Tensor& labels, const SmoothRank& rank,
                  std::int64_t q) {
  const std::int64_t n = labels.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  return {similarity.raw<T>() + q * n, of, n, of[q], rank};
}

template <class T>
void values(const Tensor& similarity, const Tensor& phi, const Tensor& labels,
            const SmoothRank& rank, Tensor& ap, std::int64_t first, std::int64_t last) {
  for (std::int64_t q = first; q < last; ++q) {
    const Query<T> query = query_of<T>(similarity, labels, rank, q);
    T total = 0;
    for (std::int64_t i = 0; i < query.n; ++i) {
      if (query.labels[i] != query.own) continue;
      const Ranks<T> ranks = query.ranks(i);
      total += (1 + ranks.same) / (1 + phi.raw<T>()[i] * ranks.all);
    }
    ap.raw<T>()[q] = total / static_cast<T>(query.relevant());
  }
}

template <class T> void pull(const Query<T>& query, const T* phi, T up, T* ds, T* dphi) {
  const T share = up / static_cast<T>(query.relevant());
  for (std::int64_t i = 0; i < query.n; ++i) {
    if (query.labels[i] != query.own) continue;
    const Ranks<T> ranks = query.ranks(i);
    const T inverse = 1 / (1 + phi[i] * ranks.all);
    const T by_all = -share * phi[i] * (1 + ranks.same) * inverse * inverse;
    const T by_same = by_all + share * inverse;
    T total = 0;
    for (std::int64_t j = 0; j < query.n; ++j) {
      if (j == i) continue;
      const T g = (query.labels[j] == query.own ? by_same : by_all) *
                  query.rank.slope(query.s[j], query.s[i]);
      ds[j] += g;
      total += g;
    }
    ds[i] -= total;
    if (dphi != nullptr) dphi[i] = -share * (1 + ranks.same) * ranks.all * inverse * inverse;
  }
}

template <class T>
void slopes(const Tensor& similarity, const Tensor& phi, const Tensor& labels,
            const SmoothRank& rank, const Tensor& dap, Tensor& dsimilarity, Tensor& dphi,
            std::int64_t first, std::int64_t last) {
  const std::int64_t n = labels.dim(0);
  for (std::int64_t q = first; q < last; ++q) {
    T* ds = dsimilarity.raw<T>() + q * n;
    T* to = dphi.defined() ? dphi.raw<T>() + q * n : nullptr;
    std::fill_n(ds, n, T(0));
    if (to != nullptr) std::fill_n(to, n, T(0));
    pull(query_of<T>(similarity, labels, rank, q), phi.raw<T>(), dap.raw<T>()[q], ds, to);
  }
}

void forward(Device&, const Tensor& similarity, const Tensor& phi, const Tensor& labels,
             const SmoothRank& rank, Tensor& ap) {
  serial_lines(ap.dtype(), ap.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    values<T>(similarity, phi, labels, rank, ap, first, last);
  });
}
void forward_fast(Device& device, const Tensor& similarity, const Tensor& phi, const Tensor& labels,
                  const SmoothRank& rank, Tensor& ap) {
  threaded_lines(device, ap.dim(0), 16 * ap.dim(0),
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   values<T>(similarity, phi, labels, rank, ap, first, last);
                 });
}
void backward(Device&, const Tensor& similarity, const Tensor& phi, const Tensor& labels,
              const SmoothRank& rank, const Tensor& dap, Tensor& dsimilarity, Tensor& dphi) {
  serial_lines(dap.dtype(), dap.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    slopes<T>(similarity, phi, labels, rank, dap, dsimilarity, dphi, first, last);
  });
}
void backward_fast(Device& device, const Tensor& similarity, const Tensor& phi,
                   const Tensor& labels, const SmoothRank& rank, const Tensor& dap,
                   Tensor& dsimilarity, Tensor& dphi) {
  threaded_lines(device, dap.dim(0), 32 * dap.dim(0),
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   slopes<T>(similarity, phi, labels, rank, dap, dsimilarity, dphi, first, last);
                 });
}

void precision(Device& device, const Tensor& similarity, const Tensor& labels, Tensor& result) {
  const PrecisionRow row{labels.dim(0)};
  const std::int64_t* of = labels.raw<std::int64_t>();
  const std::int64_t work = row.n * row.n;  // every relevant item is ranked by a walk over the row
  all_lines(device, result.dtype(), row.n, work,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t q = first; q < last; ++q)
                result.raw<T>()[q] = row.value(similarity.raw<T>() + q * row.n, of, of[q]);
            });
}

const bool rows_added = kernel::weighted_smooth_ap_fwd.add(Backend::reference, forward) &&
                        kernel::weighted_smooth_ap_fwd.add(Backend::cpu, forward_fast) &&
                        kernel::weighted_smooth_ap_bwd.add(Backend::reference, backward) &&
                        kernel::weighted_smooth_ap_bwd.add(Backend::cpu, backward_fast) &&
                        kernel::batch_precision.add(Backend::reference, precision) &&
                        kernel::batch_precision.add(Backend::cpu, precision);

}  // namespace
}  // namespace dml
