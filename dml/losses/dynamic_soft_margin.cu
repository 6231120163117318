#include "dml/losses/dynamic_soft_margin.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {

/// Each thread of a row's block has bins of its own and reads all triplets of the row: the sums
/// are made in one order, without atomics.
template <class T>
void sum_rows(cuda::Context& context, const Tensor& matrix, const kernel::SoftMargin& in) {
  const SoftMarginBins of = in.of;
  const TripletRange range = in.range;
  const pairs::RowPointers<T> at(matrix, in.rows, nullptr);
  double* partial = in.partial.raw<double>();
  cuda::for_each_row(context, at.n, of.bins, [=] __device__(std::int64_t i) {
    const Row<T> row = at.row(i);
    double* out = partial + i * of.columns();
    for (std::int64_t b = threadIdx.x; b < of.bins; b += blockDim.x) {
      double share = 0, sum = 0, count = 0;
      for (std::int64_t p = 0; p < row.size; ++p) {
        if (!(row.relation[p] > 0)) continue;
        for (std::int64_t k = 0; k < row.size; ++k) {
          if (!(row.relation[k] < 0) || !row.keeps(p, k, range)) continue;
          const double weight =
              static_cast<double>(row.relation[p]) * static_cast<double>(-row.relation[k]);
          const double value = of.sign * static_cast<double>(row.values[p] - row.values[k]);
          const SoftMarginBins::Place place = of.place(value);
          if (place.first == b) share += weight * (1 - place.part);
          if (place.first + 1 == b) share += weight * place.part;
          if (place.first == b) sum += weight * value;
          count += weight;
        }
      }
      out[b] = share;
      out[of.bins + b] = sum;
      if (b == 0) out[2 * of.bins] = count;
    }
  });
}

template <class T>
void sum_list(cuda::Context& context, const Tensor& values, const kernel::SoftMargin& in) {
  const SoftMarginBins of = in.of;
  const std::int64_t m = values.size();
  const T* x = values.raw<T>();
  const T* weights = in.weights.defined() ? in.weights.raw<T>() : nullptr;
  double* out = in.partial.raw<double>();
  cuda::for_each_row(context, of.bins, m, [=] __device__(std::int64_t b) {
    double share = 0, sum = 0, count = 0;
    for (std::int64_t t = threadIdx.x; t < m; t += blockDim.x) {
      const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[t]);
      const double value = static_cast<double>(x[t]);
      const SoftMarginBins::Place place = of.place(value);
      if (place.first == b) share += weight * (1 - place.part);
      if (place.first + 1 == b) share += weight * place.part;
      if (place.first == b) sum += weight * value;
      count += weight;
    }
    share = cuda::block_sum(share);
    sum = cuda::block_sum(sum);
    count = cuda::block_sum(count);
    if (threadIdx.x != 0) return;
    out[b] = share;
    out[of.bins + b] = sum;
    if (b == 0) out[2 * of.bins] = count;
  });
}

template <class T>
void make_tables(cuda::Context& context, const kernel::SoftMargin& in, Tensor& histogram,
                 Tensor& loss, Tensor& slopes) {
  const SoftMarginStep step{in.of, in.momentum, in.detach, in.update};
  const std::int64_t rows = in.partial.dim(0), columns = in.of.columns();
  const double* partial = in.partial.raw<double>();
  T *held = histogram.raw<T>(), *value = loss.raw<T>(), *slope = slopes.raw<T>();
  const cuda::Temporary memory(context,
                               static_cast<std::size_t>(columns + in.of.bins) * sizeof(double));
  double* const sums = memory.as<double>();
  cuda::for_each(context, columns, [=] __device__(std::int64_t c) {
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i) sum += partial[i * columns + c];
    sums[c] = sum;
  });
  cuda::for_each(context, 1, [=] __device__(std::int64_t) {
    soft_margin_tables_of(step, sums, sums + step.of.bins, sums[columns - 1], sums + columns, held,
                          value, slope);
  });
}

template <class T>
void differentiate_rows(cuda::Context& context, const Tensor& matrix, const kernel::SoftMargin& in,
                        const Tensor& slopes, const Tensor& dy, Tensor& dmatrix) {
  const SoftMarginBins of = in.of;
  const TripletRange range = in.range;
  const pairs::RowPointers<T> at(matrix, in.rows, nullptr);
  const T *slope = slopes.raw<T>(), *up = dy.raw<T>();
  T* out = dmatrix.raw<T>();
  cuda::for_each_cell(context, at.n, at.q, [=] __device__(std::int64_t i, std::int64_t j) {
    const Row<T> row = at.row(i);
    const float own = row.relation[j];
    T sum = 0;
    for (std::int64_t k = 0; k < row.size; ++k) {
      if (!(own * row.relation[k] < 0)) continue;
      const std::int64_t p = own > 0 ? j : k, n = own > 0 ? k : j;
      if (!row.keeps(p, n, range)) continue;
      const double value = of.sign * static_cast<double>(row.values[p] - row.values[n]);
      sum += static_cast<T>(-row.relation[p] * row.relation[n]) * slope[of.place(value).first];
    }
    out[i * at.q + j] = (own > 0 ? T(of.sign) : -T(of.sign)) * *up * sum;
  });
}

template <class T>
void differentiate_list(cuda::Context& context, const Tensor& values, const kernel::SoftMargin& in,
                        const Tensor& slopes, const Tensor& dy, Tensor& dvalues) {
  const SoftMarginBins of = in.of;
  const T *x = values.raw<T>(), *slope = slopes.raw<T>(), *up = dy.raw<T>();
  const T* weights = in.weights.defined() ? in.weights.raw<T>() : nullptr;
  T* out = dvalues.raw<T>();
  cuda::for_each(context, values.size(), [=] __device__(std::int64_t t) {
    out[t] = *up * (weights == nullptr ? T(1) : weights[t]) * slope[of.place(x[t]).first];
  });
}

void sum_rows_cuda(Device& device, const Tensor& matrix, const kernel::SoftMargin& in) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(), [&]<class T>() { sum_rows<T>(context, matrix, in); });
}
void sum_list_cuda(Device& device, const Tensor& values, const kernel::SoftMargin& in) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(values.dtype(), [&]<class T>() { sum_list<T>(context, values, in); });
}
void tables_cuda(Device& device, const kernel::SoftMargin& in, Tensor& histogram, Tensor& loss,
                 Tensor& slopes) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(histogram.dtype(),
              [&]<class T>() { make_tables<T>(context, in, histogram, loss, slopes); });
}
void rows_bwd_cuda(Device& device, const Tensor& matrix, const kernel::SoftMargin& in,
                   const Tensor& slopes, const Tensor& dy, Tensor& dmatrix) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(),
              [&]<class T>() { differentiate_rows<T>(context, matrix, in, slopes, dy, dmatrix); });
}
void list_bwd_cuda(Device& device, const Tensor& values, const kernel::SoftMargin& in,
                   const Tensor& slopes, const Tensor& dy, Tensor& dvalues) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(values.dtype(),
              [&]<class T>() { differentiate_list<T>(context, values, in, slopes, dy, dvalues); });
}

const bool dynamic_soft_margin_added =
    kernel::soft_margin_rows.add(Backend::cuda, sum_rows_cuda) &&
    kernel::soft_margin_list.add(Backend::cuda, sum_list_cuda) &&
    kernel::soft_margin_tables.add(Backend::cuda, tables_cuda) &&
    kernel::soft_margin_rows_bwd.add(Backend::cuda, rows_bwd_cuda) &&
    kernel::soft_margin_list_bwd.add(Backend::cuda, list_bwd_cuda);

}  // namespace
}  // namespace dml
