#pragma once
#include <cmath>
#include <type_traits>

#include "engine/cpu/parallel.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Turns one functor into an elementwise op. The functor F has
///   static constexpr const char* name;
///   template <class T> DML_HOST_DEVICE T value(T x) const;
///   template <class T> DML_HOST_DEVICE T slope(T x, T y) const;   // dy/dx from input and output
/// and may have members (a clamp's bounds); it is copied to where it runs.
/// Registration: `const bool added = add_pointwise<F>();` in ops/<name>.cpp and
/// `const bool added = add_pointwise_cuda<F>();` in ops/<name>.cu.
template <class F> struct Pointwise {
  static inline constinit Kernel<void(const F&, const Tensor& x, Tensor& y)> fwd{F::name};
  static inline constinit Kernel<void(const F&, const Tensor& x, const Tensor& y, const Tensor& dy,
                                      Tensor& dx)>
      bwd{F::name};

  F function;
  Tensor x{}, y{};  // kept for the backward pass

  OpDescription describe() const { return {.name = std::is_empty_v<F> ? F::name : ""}; }
  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    fwd(device, function, x, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    bwd(device, function, x, y, device.dense(dy), dx);
    return {dx};
  }
};

namespace pointwise {

/// y = f(x) over [first, last).
template <class F, class T>
void values(const F& f, const T* x, T* y, std::int64_t first, std::int64_t last) {
  for (std::int64_t i = first; i < last; ++i) y[i] = f.value(x[i]);
}
/// dx = dy f'(x) over [first, last).
template <class F, class T>
void slopes(const F& f, const T* x, const T* y, const T* dy, T* dx, std::int64_t first,
            std::int64_t last) {
  for (std::int64_t i = first; i < last; ++i) dx[i] = dy[i] * f.slope(x[i], y[i]);
}
constexpr std::int64_t grain = 1 << 13;  // elements below which waking a thread costs more

/// The reference forward kernel.
template <class F> void reference_forward(Device&, const F& f, const Tensor& x, Tensor& y) {
  visit_float(x.dtype(), [&]<class T>() { values(f, x.raw<T>(), y.raw<T>(), 0, x.size()); });
}
/// The reference backward kernel.
template <class F>
void reference_backward(Device&, const F& f, const Tensor& x, const Tensor& y, const Tensor& dy,
                        Tensor& dx) {
  visit_float(x.dtype(), [&]<class T>() {
    slopes(f, x.raw<T>(), y.raw<T>(), dy.raw<T>(), dx.raw<T>(), 0, x.size());
  });
}
/// The cpu forward kernel.
template <class F> void cpu_forward(Device& device, const F& f, const Tensor& x, Tensor& y) {
  const float* in = x.raw<float>();
  float* out = y.raw<float>();
  cpu::parallel_for(device.threads(), x.size(), grain, [&](std::int64_t first, std::int64_t last) {
    values(f, in, out, first, last);
  });
}
/// The cpu backward kernel.
template <class F>
void cpu_backward(Device& device, const F& f, const Tensor& x, const Tensor& y, const Tensor& dy,
                  Tensor& dx) {
  const float *in = x.raw<float>(), *out = y.raw<float>(), *up = dy.raw<float>();
  float* to = dx.raw<float>();
  cpu::parallel_for(device.threads(), x.size(), grain, [&](std::int64_t first, std::int64_t last) {
    slopes(f, in, out, up, to, first, last);
  });
}

}  // namespace pointwise

/// Fills the reference slots of Pointwise<F> with the plain loop and its cpu slots with the
/// threaded one.
template <class F> bool add_pointwise(const char* file = __builtin_FILE()) {
  using Op = Pointwise<F>;
  return Op::fwd.add(Backend::reference, pointwise::reference_forward<F>, file) &&
         Op::bwd.add(Backend::reference, pointwise::reference_backward<F>, file) &&
         Op::fwd.add(Backend::cpu, pointwise::cpu_forward<F>, file) &&
         Op::bwd.add(Backend::cpu, pointwise::cpu_backward<F>, file);
}

}  // namespace dml
