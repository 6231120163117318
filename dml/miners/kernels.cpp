#include "dml/miners/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ops/lines.hpp"

namespace dml {
namespace {

/// The places of the positive (or negative) entries of a relation.
std::vector<std::int64_t> side_of(const Tensor& relation, bool positive) {
  std::vector<std::int64_t> places;
  const float* r = relation.raw<float>();
  for (std::int64_t at = 0; at < relation.size(); ++at)
    if (positive ? r[at] > 0 : r[at] < 0) places.push_back(at);
  return places;
}

template <class T>
void keep_extremes(const Tensor& matrix, const kernel::ExtremeInputs& in, Tensor& out) {
  const T* d = matrix.raw<T>();
  const float* relation = in.relation.raw<float>();
  float* to = out.raw<float>();
  std::fill_n(to, out.size(), 0.0F);
  for (const bool positive : {true, false}) {
    std::vector<std::int64_t> places = side_of(in.relation, positive);
    const auto wanted =
        static_cast<std::ptrdiff_t>(std::ceil(in.share * static_cast<double>(places.size())));
    const T direction = static_cast<T>(positive ? in.sign : -in.sign);
    std::partial_sort(places.begin(), places.begin() + wanted, places.end(),
                      [&](std::int64_t a, std::int64_t b) {
                        const T u = direction * d[a], v = direction * d[b];
                        return u == v ? a < b : u > v;
                      });
    for (std::ptrdiff_t k = 0; k < wanted; ++k) {
      const std::int64_t at = places[static_cast<std::size_t>(k)];
      to[at] = relation[at];
    }
  }
}

/// Serial: one order of all pairs of a side.
void extremes(Device&, const Tensor& matrix, const kernel::ExtremeInputs& in, Tensor& out) {
  visit_float(matrix.dtype(), [&]<class T>() { keep_extremes<T>(matrix, in, out); });
}

/// The column at which the running sum of a row passes the share u of its total; -1 for a row of
/// zeros.
template <class T> std::int64_t draw_column(const T* row, std::int64_t q, double u) {
  double total = 0, sum = 0;
  for (std::int64_t j = 0; j < q; ++j) total += static_cast<double>(row[j]);
  std::int64_t last = -1;
  for (std::int64_t j = 0; j < q; ++j) {
    if (!(row[j] > T(0))) continue;
    last = j;
    sum += static_cast<double>(row[j]);
    if (sum > u * total) break;
  }
  return last;
}

/// The columns are drawn in parallel; the place of an entry depends on all before.
void draw(Device& device, const Tensor& probabilities, const kernel::DrawInputs& in, Tuples& list) {
  const std::int64_t q = probabilities.dim(1);
  const std::int64_t* anchor = in.anchor.raw<std::int64_t>();
  std::vector<std::int64_t> columns(static_cast<std::size_t>(in.anchor.size()));
  all_lines(device, probabilities.dtype(), in.anchor.size(), 2 * q,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t t = first; t < last; ++t)
                columns[static_cast<std::size_t>(t)] =
                    draw_column(probabilities.raw<T>() + anchor[t] * q, q,
                                in.random.uniform(static_cast<std::uint64_t>(t)));
            });
  std::int64_t next = 0;
  for (std::int64_t t = 0; t < in.anchor.size(); ++t) {
    const std::int64_t column = columns[static_cast<std::size_t>(t)];
    if (column < 0) continue;
    list.anchor.raw<std::int64_t>()[next] = anchor[t];
    list.positive.raw<std::int64_t>()[next] = in.positive.raw<std::int64_t>()[t];
    list.negative.raw<std::int64_t>()[next++] = column;
  }
  *list.count.raw<std::int64_t>() = next;
  for (std::int64_t t = next; t < in.anchor.size(); ++t)
    for (const Tensor& member : {list.anchor, list.positive, list.negative})
      member.raw<std::int64_t>()[t] = 0;
}

template <class T>
void draw_side(const Tensor& matrix, const kernel::BinInputs& in, bool positive, Tensor& out) {
  const std::vector<std::int64_t> places = side_of(in.relation, positive);
  if (places.empty()) return;
  const T* d = matrix.raw<T>();
  const auto [low, high] = std::minmax_element(
      places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) { return d[a] < d[b]; });
  const EqualBins bins{static_cast<double>(d[*low]), static_cast<double>(d[*high]), in.bins};
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(in.bins));
  for (const std::int64_t at : places)
    members[static_cast<std::size_t>(bins.of(static_cast<double>(d[at])))].push_back(at);
  const std::int64_t wanted = positive ? in.positives : in.negatives;
  const Random random = in.random.split(positive ? 0 : 1);
  for (std::int64_t bin = 0; bin < in.bins; ++bin) {
    const auto& own = members[static_cast<std::size_t>(bin)];
    for (std::int64_t k = 0; k < wanted && !own.empty(); ++k) {
      const std::uint64_t which =
          random.below(static_cast<std::uint64_t>(bin * wanted + k), own.size());
      out.raw<float>()[own[which]] += positive ? 1.0F : -1.0F;
    }
  }
}

/// Serial: a draw is a place among the members of a bin, which are listed in the order of pairs.
void draw_bins(Device&, const Tensor& matrix, const kernel::BinInputs& in, Tensor& out) {
  std::fill_n(out.raw<float>(), out.size(), 0.0F);
  visit_float(matrix.dtype(), [&]<class T>() {
    draw_side<T>(matrix, in, true, out);
    draw_side<T>(matrix, in, false, out);
  });
}

const bool kernels_added = kernel::extreme_pairs.add(Backend::reference, extremes) &&
                           kernel::extreme_pairs.add(Backend::cpu, extremes) &&
                           kernel::draw_negatives.add(Backend::reference, draw) &&
                           kernel::draw_negatives.add(Backend::cpu, draw) &&
                           kernel::draw_from_bins.add(Backend::reference, draw_bins) &&
                           kernel::draw_from_bins.add(Backend::cpu, draw_bins);

}  // namespace
}  // namespace dml
