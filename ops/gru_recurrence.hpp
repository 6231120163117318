#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// All steps of a gated recurrent unit as one op. The products with the inputs come ready, for all
/// steps at once; what is left is the recurrence. Gradients of the weights are one product over all
/// steps, so a step of the backward pass costs what a step of the forward pass costs.
///
/// @param from_x  [time, batch, 3 hidden]: W x + b in the order reset, update, new.
/// @param weight  [3 hidden, hidden]   @param bias [3 hidden]   @param h0 [batch, hidden]
/// @param reversed  from the last step to the first.
/// @return        [time, batch, hidden], the state after every step.
/// @throws        ShapeError for other shapes.
Var gru_recurrence(const Var& from_x, const Var& weight, const Var& bias, const Var& h0,
                   bool reversed = false);

/// The arithmetic of one unit in one step; the same on every backend. gates: r, z, n and
/// q = Un h + its bias, each `hidden` apart.
struct GruUnit {
  std::int64_t hidden;

  /// h' from the parts of the input and of the state, b the bias of the state's part.
  template <class T>
  DML_HOST_DEVICE T next(const T* from_x, const T* from_h, const T* b, T h, T* gates) const {
    using std::exp, std::tanh;
    const std::int64_t s = hidden;
    const T r = sigmoid(from_x[0] + (from_h[0] + b[0]));
    const T z = sigmoid(from_x[s] + (from_h[s] + b[s]));
    const T q = from_h[2 * s] + b[2 * s];
    const T n = tanh(from_x[2 * s] + r * q);
    gates[0] = r, gates[s] = z, gates[2 * s] = n, gates[3 * s] = q;
    return (1 - z) * n + z * h;
  }
  /// The gradients of the parts from the gradient `up` of h'. @return what reaches h by z.
  template <class T> DML_HOST_DEVICE T pull(const T* gates, T h, T up, T* from_x, T* from_h) const {
    const std::int64_t s = hidden;
    const T r = gates[0], z = gates[s], n = gates[2 * s], q = gates[3 * s];
    const T dn = up * (1 - z) * (1 - n * n);
    from_h[0] = from_x[0] = dn * q * r * (1 - r);
    from_h[s] = from_x[s] = up * (h - n) * z * (1 - z);
    from_x[2 * s] = dn;
    from_h[2 * s] = dn * r;
    return up * z;
  }

 private:
  template <class T> DML_HOST_DEVICE static T sigmoid(T x) {
    using std::exp;
    if (x >= T(0)) return 1 / (1 + exp(-x));
    const T e = exp(x);
    return e / (1 + e);
  }
};

namespace kernel {
/// One step: from_x, from_h [batch, 3 hidden], h and next [batch, hidden], gates [batch, 4 hidden].
inline constinit Kernel<void(const Tensor& from_x, const Tensor& from_h, const Tensor& bias,
                             const Tensor& h, Tensor& gates, Tensor& next)>
    gru_step_fwd{"gru step"};
/// One step back. carry [batch, hidden] comes in as the gradient from the step after and goes out
/// as what reaches h by the update gate; the caller adds the part through from_h.
inline constinit Kernel<void(const Tensor& gates, const Tensor& h, const Tensor& dy, Tensor& carry,
                             Tensor& from_x, Tensor& from_h)>
    gru_step_bwd{"gru step backward"};
}  // namespace kernel

}  // namespace dml
