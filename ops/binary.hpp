#pragma once
#include "engine/cpu/parallel.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Turns one functor into an op on two tensors of equal shape. The functor F has
///   static constexpr const char* name;
///   template <class T> DML_HOST_DEVICE T value(T a, T b) const;
///   template <class T> DML_HOST_DEVICE T slope_a(T a, T b) const;   // dy/da
///   template <class T> DML_HOST_DEVICE T slope_b(T a, T b) const;   // dy/db
/// Registration: `const bool added = add_binary<F>();` in ops/<name>.cpp and
/// `const bool added = add_binary_cuda<F>();` in ops/<name>.cu.
template <class F> struct Binary {
  static inline constinit Kernel<void(const F&, const Tensor& a, const Tensor& b, Tensor& y)> fwd{
      F::name};
  /// da, db: undefined when not wanted. All tensors are packed.
  static inline constinit Kernel<void(const F&, const Tensor& a, const Tensor& b, const Tensor& dy,
                                      Tensor& da, Tensor& db)>
      bwd{F::name};

  F function;
  Tensor a{}, b{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& left, const Tensor& right) {
    a = device.dense(left);
    b = device.dense(right);
    Tensor y = device.empty(a.shape(), a.dtype());
    fwd(device, function, a, b, y);
    return y;
  }
  Grads<2> backward(Device& device, const Tensor& dy, std::array<bool, 2> wanted) const {
    Tensor da, db;
    if (wanted[0]) da = device.empty(a.shape(), a.dtype());
    if (wanted[1]) db = device.empty(b.shape(), b.dtype());
    bwd(device, function, a, b, device.dense(dy), da, db);
    return {da, db};
  }
};

/// Runs a binary functor. @throws ShapeError unless both shapes are equal: nothing broadcasts.
template <class F> Var apply_binary(F function, const Var& a, const Var& b) {
  DML_CHECK(a.shape() == b.shape(), std::string(F::name) + ": shapes " + to_string(a.shape()) +
                                        " and " + to_string(b.shape()) +
                                        " differ\n  broadcast_to makes one fit the other");
  return apply(Binary<F>{std::move(function)}, a, b);
}

namespace binary {

/// The loop of the forward kernels over [first, last).
template <class F, class T>
void values(const F& f, const T* a, const T* b, T* y, std::int64_t first, std::int64_t last) {
  for (std::int64_t i = first; i < last; ++i) y[i] = f.value(a[i], b[i]);
}
/// The loops of the backward kernels over [first, last).
template <class F, class T>
void slopes(const F& f, const Tensor& a, const Tensor& b, const Tensor& dy, Tensor& da, Tensor& db,
            std::int64_t first, std::int64_t last) {
  const T *left = a.raw<T>(), *right = b.raw<T>(), *up = dy.raw<T>();
  if (da.defined()) {
    T* to = da.raw<T>();
    for (std::int64_t i = first; i < last; ++i) to[i] = up[i] * f.slope_a(left[i], right[i]);
  }
  if (db.defined()) {
    T* to = db.raw<T>();
    for (std::int64_t i = first; i < last; ++i) to[i] = up[i] * f.slope_b(left[i], right[i]);
  }
}
constexpr std::int64_t grain = 1 << 14;  // elements below which waking a thread costs more

/// Any element type, one thread.
template <class F>
void reference_forward(Device&, const F& f, const Tensor& a, const Tensor& b, Tensor& y) {
  visit_float(a.dtype(),
              [&]<class T>() { values(f, a.raw<T>(), b.raw<T>(), y.raw<T>(), 0, a.size()); });
}
/// Any element type, one thread.
template <class F>
void reference_backward(Device&, const F& f, const Tensor& a, const Tensor& b, const Tensor& dy,
                        Tensor& da, Tensor& db) {
  visit_float(a.dtype(), [&]<class T>() { slopes<F, T>(f, a, b, dy, da, db, 0, a.size()); });
}
/// f32, all threads of the device.
template <class F>
void cpu_forward(Device& device, const F& f, const Tensor& a, const Tensor& b, Tensor& y) {
  const float *left = a.raw<float>(), *right = b.raw<float>();
  float* to = y.raw<float>();
  cpu::parallel_for(device.threads(), a.size(), grain, [&](std::int64_t first, std::int64_t last) {
    values(f, left, right, to, first, last);
  });
}
/// f32, all threads of the device.
template <class F>
void cpu_backward(Device& device, const F& f, const Tensor& a, const Tensor& b, const Tensor& dy,
                  Tensor& da, Tensor& db) {
  cpu::parallel_for(device.threads(), a.size(), grain, [&](std::int64_t first, std::int64_t last) {
    slopes<F, float>(f, a, b, dy, da, db, first, last);
  });
}

}  // namespace binary

/// Fills the reference slots of Binary<F> with the plain loop and its cpu slots with the threaded
/// one.
template <class F> bool add_binary(const char* file = __builtin_FILE()) {
  using Op = Binary<F>;
  return Op::fwd.add(Backend::reference, binary::reference_forward<F>, file) &&
         Op::bwd.add(Backend::reference, binary::reference_backward<F>, file) &&
         Op::fwd.add(Backend::cpu, binary::cpu_forward<F>, file) &&
         Op::bwd.add(Backend::cpu, binary::cpu_backward<F>, file);
}

}  // namespace dml
