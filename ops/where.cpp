#include "ops/where.hpp"

#include "ops/lines.hpp"

namespace dml {
namespace {

/// da = dy where the mask is set, else 0; db the other way round.
struct Choose {
  Tensor mask;

  Tensor forward(Device& device, const Tensor& a, const Tensor& b) const {
    Tensor y = device.empty(a.shape(), a.dtype());
    kernel::where(device, mask, device.dense(a), device.dense(b), y);
    return y;
  }
  Grads<2> backward(Device& device, const Tensor& dy, std::array<bool, 2> wanted) const {
    const Tensor up = device.dense(dy);
    Grads<2> all;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!wanted[i]) continue;
      all[i] = device.empty(dy.shape(), dy.dtype());
      kernel::masked_fill(device, up, mask, i == 1, 0, all[i]);
    }
    return all;
  }
};

struct MaskedFill {
  Tensor mask;
  double value;

  Tensor forward(Device& device, const Tensor& x) const {
    Tensor y = device.empty(x.shape(), x.dtype());
    kernel::masked_fill(device, device.dense(x), mask, true, value, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(dy.shape(), dy.dtype());
    kernel::masked_fill(device, device.dense(dy), mask, true, 0, dx);
    return {dx};
  }
};

void choose(Device& device, const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y) {
  const std::uint8_t* set = mask.raw<std::uint8_t>();
  all_lines(device, a.dtype(), y.size(), 2, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      y.raw<T>()[i] = set[i] != 0 ? a.raw<T>()[i] : b.raw<T>()[i];
  });
}

void fill(Device& device, const Tensor& x, const Tensor& mask, bool when, double value, Tensor& y) {
  const std::uint8_t* set = mask.raw<std::uint8_t>();
  all_lines(device, x.dtype(), y.size(), 2, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      y.raw<T>()[i] = (set[i] != 0) == when ? T(value) : x.raw<T>()[i];
  });
}

const bool where_added = kernel::where.add(Backend::reference, choose) &&
                         kernel::where.add(Backend::cpu, choose) &&
                         kernel::masked_fill.add(Backend::reference, fill) &&
                         kernel::masked_fill.add(Backend::cpu, fill);

Tensor checked(const Tensor& mask, const Var& x, const char* op) {
  DML_CHECK(mask.shape() == x.shape(),
            std::string(op) + ": mask " + to_string(mask.shape()) + " for " + to_string(x.shape()));
  if (mask.dtype() != DType::u8)
    throw TypeError(std::string(op) + ": the mask is " + name_of(mask.dtype()) + ", not u8");
  return x.device().dense(x.device().upload(mask));
}

}  // namespace

Var where(const Tensor& mask, const Var& a, const Var& b) {
  DML_CHECK(a.shape() == b.shape(),
            "where: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " differ");
  return apply(Choose{checked(mask, a, "where")}, a, b);
}

Var masked_fill(const Var& x, const Tensor& mask, double value) {
  return apply(MaskedFill{checked(mask, x, "masked_fill"), value}, x);
}

}  // namespace dml
