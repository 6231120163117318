#include "dml/reducers/items.hpp"

#include <vector>

#include "dml/reducer.hpp"
#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

struct SumItems {
  kernel::ListInputs in;
  std::int64_t n;
  Tensor values{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& x) {
    values = device.dense(x);
    Tensor totals = device.empty({n}, values.dtype());
    kernel::sum_items(device, values, in, totals);
    return totals;
  }
  Grads<1> backward(Device& device, const Tensor& up, std::array<bool, 1>) const {
    Tensor dx = device.empty(values.shape(), values.dtype());
    kernel::sum_items_bwd(device, values, in, device.dense(up), dx);
    return {dx};
  }
};

struct Fraction {
  kernel::FractionInputs in;
  Shape shape{};
  Tensor factor{};

  Tensor forward(Device& device, const Tensor& totals) {
    shape = totals.shape();
    factor = device.empty({}, totals.dtype());
    Tensor y = device.empty({}, totals.dtype());
    kernel::fraction_fwd(device, device.dense(totals), in, y, factor);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, dy.dtype());
    kernel::fraction_bwd(device, dy, in, factor, dx);
    return {dx};
  }
};

template <class T> T weight_of(const Tensor& weights, std::int64_t i) {
  return weights.defined() ? weights.raw<T>()[i] : T(1);
}

std::int64_t anchor_of(const Tensor& anchors, std::int64_t i) {
  return anchors.defined() ? anchors.raw<std::int64_t>()[i] : i;
}

template <class T> bool within(T value, const Bounds& bounds) {
  return static_cast<double>(value) > bounds.low && static_cast<double>(value) < bounds.high;
}

/// Serial: the values of an anchor stand anywhere in the list, and its sum is in their order.
void sum_forward(Device&, const Tensor& values, const kernel::ListInputs& in, Tensor& totals) {
  std::vector<double> sums(static_cast<std::size_t>(totals.size()), 0);
  double* counts = in.counts.raw<double>();
  std::fill_n(counts, in.counts.size(), 0.0);
  visit_float(values.dtype(), [&]<class T>() {
    for (std::int64_t t = 0; t < values.size(); ++t) {
      const T v = values.raw<T>()[t];
      if (!within(v, in.bounds)) continue;
      const std::int64_t a = anchor_of(in.anchors, t);
      const T w = weight_of<T>(in.weights, t);
      sums[static_cast<std::size_t>(a)] += static_cast<double>(w) * static_cast<double>(v);
      counts[a] += static_cast<double>(w);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) totals.raw<T>()[i] = static_cast<T>(sums[i]);
  });
}

void sum_backward(Device& device, const Tensor& values, const kernel::ListInputs& in,
                  const Tensor& up, Tensor& dvalues) {
  all_lines(device, values.dtype(), values.size(), 4,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t t = first; t < last; ++t)
                dvalues.raw<T>()[t] =
                    within(values.raw<T>()[t], in.bounds)
                        ? weight_of<T>(in.weights, t) * up.raw<T>()[anchor_of(in.anchors, t)]
                        : T(0);
            });
}

/// Serial: two sums over all.
void fraction_forward(Device&, const Tensor& totals, const kernel::FractionInputs& in, Tensor& y,
                      Tensor& factor) {
  double below = in.denominators.defined() ? 0 : 1;
  if (in.denominators.defined())
    for (std::int64_t i = 0; i < in.denominators.size(); ++i)
      below += in.denominators.raw<double>()[i];
  visit_float(totals.dtype(), [&]<class T>() {
    double above = 0;
    for (std::int64_t i = 0; i < totals.size(); ++i)
      above += static_cast<double>(weight_of<T>(in.weights, i)) *
               static_cast<double>(totals.raw<T>()[i]);
    *y.raw<T>() = below == 0 ? T(0) : static_cast<T>(above / below);
    *factor.raw<T>() = below == 0 ? T(0) : static_cast<T>(1 / below);
  });
}

void fraction_backward(Device& device, const Tensor& dy, const kernel::FractionInputs& in,
                       const Tensor& factor, Tensor& dtotals) {
  all_lines(device, dy.dtype(), dtotals.size(), 2,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              const T scale = *dy.raw<T>() * *factor.raw<T>();
              for (std::int64_t i = first; i < last; ++i)
                dtotals.raw<T>()[i] = scale * weight_of<T>(in.weights, i);
            });
}

void invert(Device& device, const kernel::Counts& counts, Tensor& inverse) {
  all_lines(device, inverse.dtype(), inverse.size(), 1,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) {
                const double count = counts.of.raw<double>()[i];
                inverse.raw<T>()[i] = count == 0 ? T(0) : static_cast<T>(1 / count);
              }
            });
}

const bool items_added = kernel::sum_items.add(Backend::reference, sum_forward) &&
                         kernel::sum_items.add(Backend::cpu, sum_forward) &&
                         kernel::sum_items_bwd.add(Backend::reference, sum_backward) &&
                         kernel::sum_items_bwd.add(Backend::cpu, sum_backward) &&
                         kernel::fraction_fwd.add(Backend::reference, fraction_forward) &&
                         kernel::fraction_fwd.add(Backend::cpu, fraction_forward) &&
                         kernel::fraction_bwd.add(Backend::reference, fraction_backward) &&
                         kernel::fraction_bwd.add(Backend::cpu, fraction_backward) &&
                         kernel::inverse_counts.add(Backend::reference, invert) &&
                         kernel::inverse_counts.add(Backend::cpu, invert);

}  // namespace

Var fraction(const Var& totals, const Tensor& weights, const Tensor& denominators) {
  return apply(Fraction{.in = {weights, denominators}}, totals);
}

Var anchor_means(const Var& totals, const Tensor& counts) {
  Tensor inverse = totals.device().empty(totals.shape(), totals.dtype());
  kernel::inverse_counts(totals.device(), {counts}, inverse);
  return totals * totals.constant_like(inverse);
}

Items sum_items(const ItemList& list, Bounds bounds) {
  const Var& v = list.values;
  DML_CHECK(v.rank() == 1, "items: a list [m] is needed, not " + to_string(v.shape()));
  DML_CHECK(!list.anchors.defined() || list.labels != nullptr,
            "items: the labels of the anchors are needed to know how many there are");
  Device& device = v.device();
  const std::int64_t n = list.anchors.defined() ? list.labels->size() : v.dim(0);
  const auto here = [&](const Tensor& x) { return x.defined() ? device.upload(x) : x; };
  const Tensor counts = device.empty({n}, DType::f64);
  const Var totals =
      apply(SumItems{.in = {here(list.weights), here(list.anchors), bounds, counts}, .n = n}, v);
  return {totals, counts, list.labels, list.divisor};
}

Var reduce(const Reducer& reducer, const ItemList& list, const std::string& sub_loss) {
  return reducer(sum_items(list, reducer.bounds(sub_loss)), sub_loss);
}

}  // namespace dml
