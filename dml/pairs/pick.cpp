#include "dml/pairs/pick.hpp"

#include <algorithm>

#include "ops/lines.hpp"

namespace dml {
namespace {

struct Pick {
  kernel::PickInputs in;
  Shape shape{};

  Tensor forward(Device& device, const Tensor& matrix) {
    shape = matrix.shape();
    Tensor values = device.empty(in.rows.shape(), matrix.dtype());
    kernel::pick(device, device.dense(matrix), in, values);
    return values;
  }
  Grads<1> backward(Device& device, const Tensor& up, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, up.dtype());
    kernel::pick_bwd(device, device.dense(up), in, dx);
    return {dx};
  }
};

std::int64_t length_of(const kernel::PickInputs& in, std::int64_t most) {
  return in.count.defined() ? std::clamp<std::int64_t>(*in.count.raw<std::int64_t>(), 0, most)
                            : most;
}

void forward(Device& device, const Tensor& matrix, const kernel::PickInputs& in, Tensor& values) {
  const std::int64_t *r = in.rows.raw<std::int64_t>(), *c = in.columns.raw<std::int64_t>();
  const std::int64_t q = matrix.dim(1), length = length_of(in, values.size());
  all_lines(device, matrix.dtype(), values.size(), 3,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t t = first; t < last; ++t)
                values.raw<T>()[t] = t < length ? matrix.raw<T>()[r[t] * q + c[t]] : T(0);
            });
}

/// Serial: a place may be named many times, and its sum is in the order of the list.
void backward(Device&, const Tensor& up, const kernel::PickInputs& in, Tensor& dmatrix) {
  const std::int64_t *r = in.rows.raw<std::int64_t>(), *c = in.columns.raw<std::int64_t>();
  const std::int64_t q = dmatrix.dim(1), length = length_of(in, up.size());
  visit_float(up.dtype(), [&]<class T>() {
    T* to = dmatrix.raw<T>();
    std::fill_n(to, dmatrix.size(), T(0));
    for (std::int64_t t = 0; t < length; ++t) to[r[t] * q + c[t]] += up.raw<T>()[t];
  });
}

void mark(Device& device, const kernel::PickInputs& in, Tensor& valid) {
  const std::int64_t length = length_of(in, valid.size());
  all_lines(device, valid.dtype(), valid.size(), 1,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t t = first; t < last; ++t)
                valid.raw<T>()[t] = t < length ? T(1) : T(0);
            });
}

const bool pick_added = kernel::pick.add(Backend::reference, forward) &&
                        kernel::pick.add(Backend::cpu, forward) &&
                        kernel::pick_bwd.add(Backend::reference, backward) &&
                        kernel::pick_bwd.add(Backend::cpu, backward) &&
                        kernel::valid_entries.add(Backend::reference, mark) &&
                        kernel::valid_entries.add(Backend::cpu, mark);

}  // namespace

Var pick(const Var& matrix, const Tuples& list, Tensor Tuples::*rows, Tensor Tuples::*columns) {
  return apply(Pick{.in = {list.*rows, list.*columns, list.count}}, matrix);
}

Tensor valid_entries(Device& device, const Tuples& list, DType type) {
  Tensor valid = device.empty(list.anchor.shape(), type);
  kernel::valid_entries(device, {{}, {}, list.count}, valid);
  return valid;
}

}  // namespace dml
