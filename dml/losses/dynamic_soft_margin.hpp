#pragma once
#include <cstdint>

#include "dml/pairs/row_loss.hpp"

namespace dml {

/// The histogram of d_ap - d_an: where a value lies in it.
struct SoftMarginBins {
  double sign = 1;     ///< of the matrix
  double low = -2;     ///< lower end of bin 0
  double width = 0.4;  ///< of a bin
  std::int64_t bins = 10;

  /// A value is shared by two bins: 1 - part in bin `first`, part in the next one.
  struct Place {
    std::int64_t first;
    double part;
  };
  template <class T> DML_HOST_DEVICE Place place(T value) const {
    using std::floor;
    const double u = (static_cast<double>(value) - low) / width;
    double first = floor(u);
    const double last = static_cast<double>(bins - 2);
    first = first < 0 ? 0 : first > last ? last : first;
    const double part = u - first;
    return {static_cast<std::int64_t>(first), part < 0 ? 0 : part > 1 ? 1 : part};
  }
  /// The number of values that a row of partial sums holds: shares and sums of values for each bin,
  /// and how many values there are.
  DML_HOST_DEVICE std::int64_t columns() const { return 2 * bins + 1; }
};

namespace kernel {

/// What the kernels of this loss read and write besides matrices. Partial sums are f64.
struct SoftMargin {
  SoftMarginBins of{};
  RowInputs rows{};  ///< product form: relation and filter
  TripletRange range{};
  Tensor weights{};  ///< list form: [m], or undefined
  Tensor partial{};  ///< [rows, columns] f64
  double momentum = 0.01;
  bool detach = true;
  bool update = true;  ///< the histogram takes the batch in
};

/// partial from a matrix of distances, a row for each anchor.
inline constinit Kernel<void(const Tensor& matrix, const SoftMargin&)> soft_margin_rows{
    "dynamic_soft_margin"};
/// partial, one row, from a list of values.
inline constinit Kernel<void(const Tensor& values, const SoftMargin&)> soft_margin_list{
    "dynamic_soft_margin list"};
/// The histogram moves; loss []; slopes [bins]: d loss / d value in a bin.
inline constinit Kernel<void(const SoftMargin&, Tensor& histogram, Tensor& loss, Tensor& slopes)>
    soft_margin_tables{"dynamic_soft_margin tables"};
inline constinit Kernel<void(const Tensor& matrix, const SoftMargin&, const Tensor& slopes,
                             const Tensor& dy, Tensor& dmatrix)>
    soft_margin_rows_bwd{"dynamic_soft_margin backward"};
inline constinit Kernel<void(const Tensor& values, const SoftMargin&, const Tensor& slopes,
                             const Tensor& dy, Tensor& dvalues)>
    soft_margin_list_bwd{"dynamic_soft_margin list backward"};

}  // namespace kernel

/// What the arithmetic of soft_margin_tables needs of SoftMargin.
struct SoftMarginStep {
  SoftMarginBins of{};
  double momentum = 0.01;
  bool detach = true, update = true;
};

/// The arithmetic of soft_margin_tables, for one thread; all arrays but histogram, loss and slopes
/// are sums over the batch. scratch [bins].
template <class T>
DML_HOST_DEVICE void soft_margin_tables_of(const SoftMarginStep& in, const double* shares,
                                           const double* values, double count, double* scratch,
                                           T* histogram, T* loss, T* slopes) {
  const std::int64_t bins = in.of.bins;
  double held = 0, total = 0;
  for (std::int64_t b = 0; b < bins; ++b) held += static_cast<double>(histogram[b]);
  const double momentum = held > 0 ? in.momentum : 1;
  for (std::int64_t b = 0; b < bins; ++b) {
    scratch[b] = (1 - momentum) * static_cast<double>(histogram[b]) + momentum * shares[b];
    total += scratch[b];
  }
  const bool any = count > 0 && total > 0;
  *loss = T(0);
  for (std::int64_t b = 0; b < bins; ++b) slopes[b] = T(0);
  if (!any) return;
  double sum = 0, value = 0;
  for (std::int64_t b = 0; b < bins; ++b) {
    scratch[b] /= total;
    sum += scratch[b];
    value += sum * values[b];
    double slope = sum / count;
    // Through the histogram: a value v moves its share from bin b to the next at the rate 1 /
    // width, and dL/dshare of two neighbours differs by momentum / total times -sum of the v in b /
    // count.
    if (!in.detach) slope -= values[b] / count * momentum / total / in.of.width;
    slopes[b] = static_cast<T>(slope);
    if (in.update) histogram[b] = static_cast<T>(scratch[b]);
  }
  *loss = static_cast<T>(value / count);
}

}  // namespace dml
