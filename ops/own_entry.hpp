#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/lines.hpp"

namespace dml {

/// Turns one functor into an op that changes one entry of every row: that of the row's own class.
/// The functor F has
///   static constexpr const char* name;
///   template <class T> DML_HOST_DEVICE T value(T x) const;
///   template <class T> DML_HOST_DEVICE T slope(T x) const;   // dy/dx
/// or, for numbers of its class, value(T x, T of_class) and slope(T x, T of_class).
/// Registration: `const bool added = add_own_entry<F>();` in a .cpp and
/// `const bool added = add_own_entry_cuda<F>();` in a .cu.
template <class F> struct OwnEntry {
  /// x, y [n, c] packed; labels [n] i64 in [0, c); of_class [c], or undefined.
  static inline constinit Kernel<void(const F&, const Tensor& x, const Tensor& labels,
                                      const Tensor& of_class, Tensor& y)>
      fwd{F::name};
  /// own [n]: the entries of x that were changed.
  static inline constinit Kernel<void(const F&, const Tensor& own, const Tensor& labels,
                                      const Tensor& of_class, const Tensor& dy, Tensor& dx)>
      bwd{F::name};
  /// own [n] = x[i, labels[i]]
  static inline constinit Kernel<void(const F&, const Tensor& x, const Tensor& labels, Tensor& own)>
      pick{F::name};

  F function;
  Tensor labels, of_class{};
  Tensor own{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    own = device.empty({x.dim(0)}, x.dtype());
    pick(device, function, x, labels, own);
    Tensor y = device.empty(x.shape(), x.dtype());
    fwd(device, function, x, labels, of_class, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(dy.shape(), dy.dtype());
    bwd(device, function, own, labels, of_class, device.dense(dy), dx);
    return {dx};
  }
};

namespace own_entry {

/// The functor's value, with the number of the class where it wants one.
template <class F, class T>
DML_HOST_DEVICE T value_of(const F& f, T x, const T* of_class, std::int64_t label) {
  if constexpr (requires { f.value(x, x); }) {
    return f.value(x, of_class[label]);
  } else {
    return f.value(x);
  }
}
/// The functor's slope likewise.
template <class F, class T>
DML_HOST_DEVICE T slope_of(const F& f, T x, const T* of_class, std::int64_t label) {
  if constexpr (requires { f.slope(x, x); }) {
    return f.slope(x, of_class[label]);
  } else {
    return f.slope(x);
  }
}
/// The numbers of the classes, or null.
template <class T> const T* numbers(const Tensor& of_class) {
  return of_class.defined() ? of_class.raw<T>() : nullptr;
}

/// Rows [first, last) of the forward kernel.
template <class F, class T>
void values(const F& f, const Tensor& x, const Tensor& labels, const Tensor& of_class, Tensor& y,
            std::int64_t first, std::int64_t last) {
  const std::int64_t c = x.dim(1);
  std::copy(x.raw<T>() + first * c, x.raw<T>() + last * c, y.raw<T>() + first * c);
  for (std::int64_t i = first; i < last; ++i) {
    const std::int64_t label = labels.raw<std::int64_t>()[i];
    T& own = y.raw<T>()[i * c + label];
    own = value_of(f, own, numbers<T>(of_class), label);
  }
}
/// Rows [first, last) of the backward kernel.
template <class F, class T>
void slopes(const F& f, const Tensor& own, const Tensor& labels, const Tensor& of_class,
            const Tensor& dy, Tensor& dx, std::int64_t first, std::int64_t last) {
  const std::int64_t c = dy.dim(1);
  std::copy(dy.raw<T>() + first * c, dy.raw<T>() + last * c, dx.raw<T>() + first * c);
  for (std::int64_t i = first; i < last; ++i) {
    const std::int64_t label = labels.raw<std::int64_t>()[i];
    dx.raw<T>()[i * c + label] *= slope_of(f, own.raw<T>()[i], numbers<T>(of_class), label);
  }
}
/// The own entries.
template <class F>
void pick_own(Device&, const F&, const Tensor& x, const Tensor& labels, Tensor& own) {
  const std::int64_t c = x.dim(1);
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < x.dim(0); ++i)
      own.raw<T>()[i] = x.raw<T>()[i * c + labels.raw<std::int64_t>()[i]];
  });
}

/// Any element type, one thread.
template <class F>
void reference_forward(Device&, const F& f, const Tensor& x, const Tensor& labels,
                       const Tensor& of_class, Tensor& y) {
  visit_float(x.dtype(), [&]<class T>() { values<F, T>(f, x, labels, of_class, y, 0, x.dim(0)); });
}
/// Any element type, one thread.
template <class F>
void reference_backward(Device&, const F& f, const Tensor& own, const Tensor& labels,
                        const Tensor& of_class, const Tensor& dy, Tensor& dx) {
  visit_float(dy.dtype(),
              [&]<class T>() { slopes<F, T>(f, own, labels, of_class, dy, dx, 0, dy.dim(0)); });
}
/// f32, all threads of the device.
template <class F>
void cpu_forward(Device& device, const F& f, const Tensor& x, const Tensor& labels,
                 const Tensor& of_class, Tensor& y) {
  threaded_lines(device, x.dim(0), x.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    values<F, T>(f, x, labels, of_class, y, first, last);
  });
}
/// f32, all threads of the device.
template <class F>
void cpu_backward(Device& device, const F& f, const Tensor& own, const Tensor& labels,
                  const Tensor& of_class, const Tensor& dy, Tensor& dx) {
  threaded_lines(device, dy.dim(0), dy.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    slopes<F, T>(f, own, labels, of_class, dy, dx, first, last);
  });
}

}  // namespace own_entry

/// Fills the reference and the cpu slots of OwnEntry<F>.
template <class F> bool add_own_entry(const char* file = __builtin_FILE()) {
  using Op = OwnEntry<F>;
  return Op::fwd.add(Backend::reference, own_entry::reference_forward<F>, file) &&
         Op::bwd.add(Backend::reference, own_entry::reference_backward<F>, file) &&
         Op::pick.add(Backend::reference, own_entry::pick_own<F>, file) &&
         Op::fwd.add(Backend::cpu, own_entry::cpu_forward<F>, file) &&
         Op::bwd.add(Backend::cpu, own_entry::cpu_backward<F>, file) &&
         Op::pick.add(Backend::cpu, own_entry::pick_own<F>, file);
}

/// Applies the functor at [i, labels[i]] of every row i.   x [n, c], labels [n] i64 -> [n, c]
/// @param of_class  [c] of the type of x: what the functor knows of every class
/// @throws ShapeError for shapes that do not fit and, on the host, for a label outside [0, c).
template <class F>
Var apply_to_own(F function, const Var& x, const Tensor& labels, const Tensor& of_class = {}) {
  DML_CHECK(x.rank() == 2 && labels.shape() == Shape{x.dim(0)},
            std::string(F::name) + ": x " + to_string(x.shape()) + " and labels " +
                to_string(labels.shape()) + "; [n, c] and [n] are needed");
  DML_CHECK(
      !of_class.defined() || (of_class.shape() == Shape{x.dim(1)} && of_class.dtype() == x.dtype()),
      std::string(F::name) + ": " + to_string(of_class.shape()) + " numbers for " +
          std::to_string(x.dim(1)) + " classes");
  if (labels.place() == Place::host)
    for (const std::int64_t label : labels.data<std::int64_t>())
      DML_CHECK(label >= 0 && label < x.dim(1), std::string(F::name) + ": label " +
                                                    std::to_string(label) + " of " +
                                                    std::to_string(x.dim(1)) + " classes");
  return apply(OwnEntry<F>{.function = std::move(function),
                           .labels = x.device().upload(labels),
                           .of_class = of_class.defined() ? x.device().upload(of_class) : of_class},
               x);
}

}  // namespace dml
