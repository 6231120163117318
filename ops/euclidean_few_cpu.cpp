#include <algorithm>
#include <vector>

#include "ops/euclidean.hpp"
#include "ops/lines.hpp"

/// The gradient of distances of which few have one: the sum over those pairs of
/// 2 dy dy/dsquared (x_i - x_j), without a second matrix and without its product.
namespace dml {
namespace {

constexpr std::int64_t few = 12;  // one entry in so many: scattered reads still pay

/// The columns of every row that have a gradient, and what reaches a row through its column alone.
class FewPairs {
 public:
  FewPairs(Device& device, const Tensor& dy)
      : n_(dy.dim(0)),
        room_(n_ / few + 1),
        dy_(dy.raw<float>()),
        columns_(device.empty({n_, room_}, DType::i64)),
        sizes_(static_cast<std::size_t>(n_)),
        one_sided_(static_cast<std::size_t>(n_)) {
    threaded_lines(device, n_, 3 * n_, [&]<class T>(std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        if (!find(i)) break;
    });
    few_ = std::all_of(sizes_.begin(), sizes_.end(), [](std::int64_t s) { return s >= 0; });
    if (few_) turn();
  }

  bool are_few() const { return few_; }

  /// f(j) for all j that row i meets; all of them once.
  template <class F> void each(std::int64_t i, const F& f) const {
    const auto row = static_cast<std::size_t>(i);
    for (std::int64_t k = 0; k < sizes_[row]; ++k) f(column(i, k));
    if (others_.empty()) return;
    for (std::int64_t k = begins_[row]; k < begins_[row + 1]; ++k)
      f(others_[static_cast<std::size_t>(k)]);
  }

 private:
  std::int64_t& column(std::int64_t i, std::int64_t k) const {
    return columns_.raw<std::int64_t>()[i * room_ + k];
  }

  /// Lists row i; false when too many entries count.
  bool find(std::int64_t i) {
    constexpr std::int64_t stride = 64;  // most hold nothing, which is soon seen
    const float* row = dy_ + i * n_;
    std::int64_t size = 0, alone = 0;
    sizes_[static_cast<std::size_t>(i)] = -1;
    for (std::int64_t first = 0; first < n_; first += stride) {
      const std::int64_t end = std::min(first + stride, n_);
      std::int32_t here = 0;
#pragma omp simd reduction(+ : here)
      for (std::int64_t j = first; j < end; ++j) here += row[j] != 0.0F ? 1 : 0;
      if (here == 0) continue;
      for (std::int64_t j = first; j < end; ++j) {
        if (row[j] == 0.0F || j == i) continue;
        if (size == room_) return false;
        column(i, size++) = j;
        alone += dy_[j * n_ + i] == 0.0F ? 1 : 0;
      }
    }
    sizes_[static_cast<std::size_t>(i)] = size;
    one_sided_[static_cast<std::size_t>(i)] = alone;
    return true;
  }

  /// What row i has and row j has not, for row j.
  void turn() {
    std::int64_t total = 0;
    for (const std::int64_t alone : one_sided_) total += alone;
    if (total == 0) return;
    others_.resize(static_cast<std::size_t>(total));
    begins_.assign(static_cast<std::size_t>(n_) + 1, 0);
    const auto each_alone = [&](const auto& f) {
      for (std::int64_t i = 0; i < n_; ++i) {
        if (one_sided_[static_cast<std::size_t>(i)] == 0) continue;
        for (std::int64_t k = 0; k < sizes_[static_cast<std::size_t>(i)]; ++k)
          if (const std::int64_t j = column(i, k); dy_[j * n_ + i] == 0.0F) f(j, i);
      }
    };
    each_alone([&](std::int64_t j, std::int64_t) { ++begins_[static_cast<std::size_t>(j) + 1]; });
    for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
    std::vector<std::int64_t> next(begins_.begin(), begins_.end() - 1);
    each_alone([&](std::int64_t j, std::int64_t i) {
      others_[static_cast<std::size_t>(next[static_cast<std::size_t>(j)]++)] = i;
    });
  }

  std::int64_t n_, room_;
  const float* dy_;
  Tensor columns_;                             // [n, room]
  std::vector<std::int64_t> sizes_;            // [n] columns of each row; -1: too many
  std::vector<std::int64_t> one_sided_;        // [n] of these, those whose mirror has none
  std::vector<std::int64_t> begins_, others_;  // of what comes through the column alone
  bool few_ = false;
};

void gradient(Device& device, const Euclidean& in, const Tensor& y, const Tensor& dy, Tensor& dx) {
  const FewPairs pairs(device, dy);
  if (!pairs.are_few()) return euclidean_self_gradient_by_product(device, in, y, dy, dx);
  const std::int64_t n = dx.dim(0), d = dx.dim(1);
  const float *x = in.a.raw<float>(), *all = y.raw<float>(), *up = dy.raw<float>();
  threaded_lines(device, n, 8 * d, [&]<class T>(std::int64_t first, std::int64_t last) {
    const auto weight = [&](std::int64_t i, std::int64_t j) {
      return 2 * up[i * n + j] * Euclidean::slope(all[i * n + j], in.power);
    };
    for (std::int64_t i = first; i < last; ++i) {
      float* out = dx.raw<float>() + i * d;
      const float* own = x + i * d;
      std::fill_n(out, d, 0.0F);
      pairs.each(i, [&](std::int64_t j) {
        const float w = weight(i, j) + weight(j, i), *other = x + j * d;
#pragma omp simd
        for (std::int64_t k = 0; k < d; ++k) out[k] += w * (own[k] - other[k]);
      });
    }
  });
}

const bool euclidean_few_added = kernel::euclidean_self_gradient.add(Backend::cpu, gradient);

}  // namespace
}  // namespace dml
