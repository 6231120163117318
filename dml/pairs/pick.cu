#include "dml/pairs/pick.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

struct PickList {
  const std::int64_t *rows, *columns, *count;
  std::int64_t most;

  PickList(const kernel::PickInputs& in, std::int64_t size)
      : rows(in.rows.defined() ? in.rows.raw<std::int64_t>() : nullptr),
        columns(in.columns.defined() ? in.columns.raw<std::int64_t>() : nullptr),
        count(in.count.defined() ? in.count.raw<std::int64_t>() : nullptr),
        most(size) {}
  __device__ std::int64_t size() const {
    if (count == nullptr) return most;
    return *count < 0 ? 0 : *count < most ? *count : most;
  }
};

template <class T>
void forward(cuda::Context& context, const Tensor& matrix, const kernel::PickInputs& in,
             Tensor& values) {
  const PickList list(in, values.size());
  const std::int64_t q = matrix.dim(1);
  const T* from = matrix.raw<T>();
  T* to = values.raw<T>();
  cuda::for_each(context, values.size(), [=] __device__(std::int64_t t) {
    to[t] = t < list.size() ? from[list.rows[t] * q + list.columns[t]] : T(0);
  });
}

/// A thread for each cell reads the whole list: the order of additions is that of the list.
template <class T>
void backward(cuda::Context& context, const Tensor& up, const kernel::PickInputs& in,
              Tensor& dmatrix) {
  const PickList list(in, up.size());
  const std::int64_t q = dmatrix.dim(1);
  const T* from = up.raw<T>();
  T* to = dmatrix.raw<T>();
  cuda::for_each_cell(context, dmatrix.dim(0), q, [=] __device__(std::int64_t i, std::int64_t j) {
    T sum = 0;
    for (std::int64_t t = 0; t < list.size(); ++t)
      if (list.rows[t] == i && list.columns[t] == j) sum += from[t];
    to[i * q + j] = sum;
  });
}

template <class T> void mark(cuda::Context& context, const kernel::PickInputs& in, Tensor& valid) {
  const PickList list(in, valid.size());
  T* to = valid.raw<T>();
  cuda::for_each(context, valid.size(),
                 [=] __device__(std::int64_t t) { to[t] = t < list.size() ? T(1) : T(0); });
}

void forward_cuda(Device& device, const Tensor& matrix, const kernel::PickInputs& in,
                  Tensor& values) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(), [&]<class T>() { forward<T>(context, matrix, in, values); });
}
void backward_cuda(Device& device, const Tensor& up, const kernel::PickInputs& in,
                   Tensor& dmatrix) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(up.dtype(), [&]<class T>() { backward<T>(context, up, in, dmatrix); });
}
void mark_cuda(Device& device, const kernel::PickInputs& in, Tensor& valid) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(valid.dtype(), [&]<class T>() { mark<T>(context, in, valid); });
}

const bool pick_added = kernel::pick.add(Backend::cuda, forward_cuda) &&
                        kernel::pick_bwd.add(Backend::cuda, backward_cuda) &&
                        kernel::valid_entries.add(Backend::cuda, mark_cuda);

}  // namespace
}  // namespace dml
