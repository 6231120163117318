#pragma once
#include <cmath>
#include <cstdint>

#include "engine/check.hpp"

/// What the miners do with one row of distances; every backend instantiates the same functors.
namespace dml::division {

/// Constants of distance-weighted mining.
struct WeightOptions {
  double cutoff = 0.5;    ///< nearer rows count as this far
  double furthest = 1.4;  ///< margin + 1.2: rows beyond get the weight eps
  double eps = 1e-6;
  double additive = 1e-9;
};

/// The arithmetic of one row of the weights; the same on every backend.
struct WeightRow {
  WeightOptions options;
  std::int64_t n, dim;

  /// log of the inverse density of distances on a sphere of that dimension; 0 where it is not
  /// asked for.
  template <class T> DML_HOST_DEVICE T log_weight(T d, bool same) const {
    using std::log;
    if (same || d >= T(options.furthest)) return T(0);
    const T second = T(dim - 3) / 2;
    return T(2 - dim) * log(d) - (dim == 3 ? T(0) : second * log(1 - d * d / 4));
  }
  template <class T>
  DML_HOST_DEVICE void operator()(const T* distance, const std::int64_t* label, std::int64_t row,
                                  T* weight) const {
    using std::exp;
    T most = log_weight(distance[0], label[0] == label[row]);
    for (std::int64_t j = 1; j < n; ++j) {
      const T one = log_weight(distance[j], label[j] == label[row]);
      most = one > most ? one : most;
    }
    for (std::int64_t j = 0; j < n; ++j) {
      const bool same = label[j] == label[row];
      weight[j] = same ? T(0) : exp(log_weight(distance[j], same) - most) + T(options.additive);
      if (distance[j] > T(options.furthest)) weight[j] = T(options.eps);  // same classes as well
    }
  }
};

/// The arithmetic of one row of a draw without replacement, with probabilities in the proportion of
/// the weights: the q columns with the smallest -log(uniform) / weight, in ascending order. Columns
/// of weight 0 come last.
struct DrawRow {
  std::int64_t n, q;

  template <class T>
  DML_HOST_DEVICE void operator()(const T* weight, const T* uniform, std::int64_t* chosen) const {
    using std::log;
    const auto key = [&](std::int64_t j) {  // smaller is better; 0 weight is never better
      return weight[j] > T(0) ? -log(uniform[j] > T(0) ? uniform[j] : T(1e-38)) / weight[j]
                              : T(3e38);
    };
    for (std::int64_t k = 0; k < q; ++k) {
      std::int64_t best = -1;
      for (std::int64_t j = 0; j < n; ++j) {
        bool taken = false;
        for (std::int64_t i = 0; i < k; ++i) taken = taken || chosen[i] == j;
        if (!taken && (best < 0 || key(j) < key(best))) best = j;
      }
      std::int64_t place = k;  // keeps what is chosen in ascending order
      for (; place > 0 && chosen[place - 1] > best; --place) chosen[place] = chosen[place - 1];
      chosen[place] = best;
    }
  }
};

/// What the rows of the other miners write: places of one anchor, with their number.
struct Places {
  std::int64_t *positives, *negatives;
};

/// The arithmetic of one row of easy-peasy mining.
struct NearestRow {
  std::int64_t n, q;
  double cutoff;

  template <class T>
  DML_HOST_DEVICE void operator()(const T* distance, const std::int64_t* label, std::int64_t row,
                                  Places out, T* filled) const {
    std::int64_t found = 0;
    for (; found < q; ++found) {
      std::int64_t best = -1;
      for (std::int64_t j = 0; j < n; ++j) {
        if (label[j] == label[row] || distance[j] < T(cutoff)) continue;
        bool taken = false;
        for (std::int64_t i = 0; i < found; ++i) taken = taken || out.negatives[i] == j;
        if (!taken && (best < 0 || distance[j] < distance[best])) best = j;
      }
      if (best < 0) break;
      std::int64_t place = found;
      for (; place > 0 && out.negatives[place - 1] > best; --place)
        out.negatives[place] = out.negatives[place - 1];
      out.negatives[place] = best;
    }
    std::int64_t positive = 0;
    for (std::int64_t j = 0; j < n && positive < found; ++j)
      if (j != row && label[j] == label[row]) out.positives[positive++] = j;
    for (std::int64_t k = 0; k < q; ++k) {
      filled[k] = k < positive ? T(1) : T(0);
      if (k >= positive) out.positives[k] = out.negatives[k] = 0;
    }
  }
};

/// The arithmetic of one row of mine_one. `uniform` ranks candidates where one is taken at random.
struct OneRow {
  std::int64_t n;
  double margin;
  char positive;  ///< 'H', 'E' or 'R'
  bool semihard;

  template <class T>
  DML_HOST_DEVICE void operator()(const T* distance, const T* uniform, const std::int64_t* label,
                                  std::int64_t row, Places out, T* filled) const {
    std::int64_t p = -1, best = -1;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == row || label[j] != label[row]) continue;
      const bool better = p < 0 || (positive == 'H'   ? distance[j] > distance[p]
                                    : positive == 'E' ? distance[j] < distance[p]
                                                      : uniform[j] > uniform[p]);
      if (better) p = j;
    }
    for (std::int64_t j = 0; p >= 0 && j < n; ++j) {
      if (label[j] == label[row]) continue;
      const bool inside = distance[j] > distance[p] && distance[j] < distance[p] + T(margin);
      if (semihard && !inside) continue;
      if (best < 0 || (semihard ? uniform[j] > uniform[best] : distance[j] < distance[best]))
        best = j;
    }
    filled[0] = best >= 0 ? T(1) : T(0);
    out.positives[0] = best >= 0 ? p : 0;
    out.negatives[0] = best >= 0 ? best : 0;
  }
};

}  // namespace dml::division
