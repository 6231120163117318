#include <algorithm>

#include "dml/retrieval/search.hpp"
#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

/// One row: best is a heap whose root is the candidate that the next better one replaces: the
/// smallest score, of equal ones the highest index. Empty places count as worst of all.
template <class T> struct Row {
  T* best;
  std::int64_t* index;
  std::int64_t k;

  /// Whether the candidate in place a is worse than that in place b.
  bool worse(std::int64_t a, std::int64_t b) const {
    if (best[a] != best[b]) return best[a] < best[b];
    return order(index[a]) > order(index[b]);
  }
  /// Empty places (-1) come behind every index.
  static std::uint64_t order(std::int64_t i) { return static_cast<std::uint64_t>(i); }

  void offer(T score, std::int64_t i) {
    if (!(score > best[0] || (score == best[0] && order(i) < order(index[0])))) return;
    best[0] = score;
    index[0] = i;
    for (std::int64_t at = 0;;) {
      std::int64_t child = 2 * at + 1;
      if (child >= k) return;
      if (child + 1 < k && worse(child + 1, child)) ++child;
      if (!worse(child, at)) return;
      std::swap(best[at], best[child]);
      std::swap(index[at], index[child]);
      at = child;
    }
  }
};

constexpr std::int64_t block = 64;

/// Whether any of the scores [first, last) passes. Most blocks of a row hold nothing that is good
/// enough; this says so at vector speed.
template <class T, class Test>
bool any(const T* score, std::int64_t first, std::int64_t last, Test test) {
  int found = 0;
  for (std::int64_t j = first; j < last; ++j) found |= test(score[j]) ? 1 : 0;
  return found != 0;
}

template <class T>
void select_rows(const Tensor& scores, std::int64_t first, const Tensor& self, Tensor& best,
                 Tensor& index, std::int64_t from, std::int64_t to) {
  const std::int64_t n = scores.dim(1), k = best.dim(1);
  for (std::int64_t r = from; r < to; ++r) {
    const T* score = scores.raw<T>() + r * scores.pitch();
    const std::int64_t own = self.raw<std::int64_t>()[r] - first;
    const Row<T> row{best.raw<T>() + r * k, index.raw<std::int64_t>() + r * k, k};
    for (std::int64_t start = 0; start < n; start += block) {
      const std::int64_t end = std::min(start + block, n);
      if (!any(score, start, end, [worst = row.best[0]](T s) { return s >= worst; })) continue;
      for (std::int64_t j = start; j < end; ++j)
        if (j != own) Row<T>(row).offer(score[j], first + j);
    }
  }
}

template <class T>
void maximum_rows(const Tensor& scores, std::int64_t first, Tensor& best, Tensor& index,
                  std::int64_t from, std::int64_t to) {
  const std::int64_t n = scores.dim(1);
  for (std::int64_t r = from; r < to; ++r) {
    const T* score = scores.raw<T>() + r * scores.pitch();
    T most = best.raw<T>()[r];
    for (std::int64_t start = 0; start < n; start += block) {
      const std::int64_t end = std::min(start + block, n);
      if (!any(score, start, end, [most](T s) { return s > most; })) continue;
      for (std::int64_t j = start; j < end; ++j) {
        if (!(score[j] > most)) continue;
        most = score[j];
        index.raw<std::int64_t>()[r] = first + j;
      }
    }
    best.raw<T>()[r] = most;
  }
}

template <class T>
void subtract_rows(const Tensor& offset, Tensor& scores, std::int64_t from, std::int64_t to) {
  const T* off = offset.raw<T>();
  for (std::int64_t r = from; r < to; ++r) {
    T* score = scores.raw<T>() + r * scores.pitch();
    for (std::int64_t j = 0; j < scores.dim(1); ++j) score[j] -= off[j];
  }
}

/// Calls body(first row, last row) on one thread, or on those of the device.
template <class Body> void over_rows(const Device& device, const Tensor& scores, Body body) {
  const std::int64_t grain = 1 + (1 << 14) / (scores.dim(1) + 1);
  const int threads = device.backend() == Backend::reference ? 1 : device.threads();
  cpu::parallel_for(threads, scores.dim(0), grain, body);
}

void select_best(Device& device, const Tensor& scores, std::int64_t first, const Tensor& self,
                 Tensor& best, Tensor& index) {
  visit_float(scores.dtype(), [&]<class T>() {
    over_rows(device, scores, [&](std::int64_t from, std::int64_t to) {
      select_rows<T>(scores, first, self, best, index, from, to);
    });
  });
}

void row_maximum(Device& device, const Tensor& scores, std::int64_t first, Tensor& best,
                 Tensor& index) {
  visit_float(scores.dtype(), [&]<class T>() {
    over_rows(device, scores, [&](std::int64_t from, std::int64_t to) {
      maximum_rows<T>(scores, first, best, index, from, to);
    });
  });
}

void subtract_row(Device& device, const Tensor& offset, Tensor& scores) {
  visit_float(scores.dtype(), [&]<class T>() {
    over_rows(device, scores, [&](std::int64_t from, std::int64_t to) {
      subtract_rows<T>(offset, scores, from, to);
    });
  });
}

const bool select_added = kernel::select_best.add(Backend::reference, select_best) &&
                          kernel::select_best.add(Backend::cpu, select_best) &&
                          kernel::row_maximum.add(Backend::reference, row_maximum) &&
                          kernel::row_maximum.add(Backend::cpu, row_maximum) &&
                          kernel::subtract_row.add(Backend::reference, subtract_row) &&
                          kernel::subtract_row.add(Backend::cpu, subtract_row);

}  // namespace
}  // namespace dml
