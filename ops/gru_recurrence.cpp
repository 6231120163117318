#include "ops/gru_recurrence.hpp"

#include <cmath>
#include <utility>

#include "ops/lines.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

/// Step t of a sequence as a matrix on the same memory.   [time, a, b] -> [a, b]
Tensor step_of(const Tensor& x, std::int64_t t) {
  return x.rows(t, t + 1).reshape({x.dim(1), x.dim(2)});
}

struct GruRecurrence {
  bool reversed;
  Tensor weight{}, gates{}, before{};  // kept for the backward pass; before: the state that each
                                       // step began with

  std::int64_t at(std::int64_t i) const { return reversed ? gates.dim(0) - 1 - i : i; }

  Tensor forward(Device& device, const Tensor& from_x, const Tensor& w, const Tensor& bias,
                 const Tensor& h0) {
    const std::int64_t time = from_x.dim(0), batch = from_x.dim(1), hidden = w.dim(1);
    const DType type = from_x.dtype();
    const Tensor x = device.dense(from_x), b = device.dense(bias);
    weight = device.dense(w);
    gates = device.empty({time, batch, 4 * hidden}, type);
    before = device.empty({time, batch, hidden}, type);
    Tensor y = device.empty({time, batch, hidden}, type);
    Tensor from_h = device.empty({batch, 3 * hidden}, type);
    Tensor h = device.dense(h0);
    for (std::int64_t i = 0; i < time; ++i) {
      const std::int64_t t = at(i);
      Tensor start = step_of(before, t), gate = step_of(gates, t), next = step_of(y, t);
      device.copy(h, start);
      kernel::matmul(device, h, weight, {.a = false, .b = true}, 1, 0, from_h);
      kernel::gru_step_fwd(device, step_of(x, t), from_h, b, h, gate, next);
      h = next;
    }
    return y;
  }

  Grads<4> backward(Device& device, const Tensor& up, std::array<bool, 4> wanted) const {
    const Tensor dy = device.dense(up);
    const std::int64_t time = dy.dim(0), batch = dy.dim(1), hidden = dy.dim(2);
    Tensor from_x = device.empty({time, batch, 3 * hidden}, dy.dtype());
    Tensor from_h = device.empty({time, batch, 3 * hidden}, dy.dtype());
    Tensor carry = device.zeros({batch, hidden}, dy.dtype());
    for (std::int64_t i = time - 1; i >= 0; --i) {
      const std::int64_t t = at(i);
      Tensor dx = step_of(from_x, t), dh = step_of(from_h, t);
      kernel::gru_step_bwd(device, step_of(gates, t), step_of(before, t), step_of(dy, t), carry, dx,
                           dh);
      kernel::matmul(device, dh, weight, {}, 1, 1, carry);
    }
    const Tensor rows = from_h.reshape({time * batch, 3 * hidden});
    Tensor dw, db;
    if (wanted[1]) {
      dw = device.empty(weight.shape(), dy.dtype());
      kernel::matmul(device, rows, before.reshape({time * batch, hidden}), {.a = true, .b = false},
                     1, 0, dw);
    }
    if (wanted[2]) {
      db = device.empty({3 * hidden}, dy.dtype());
      kernel::sum_rows(device, rows, db);
    }
    return {from_x, dw, db, carry};
  }
};

void step_forward(Device& device, const Tensor& from_x, const Tensor& from_h, const Tensor& bias,
                  const Tensor& h, Tensor& gates, Tensor& next) {
  const std::int64_t hidden = h.dim(1);
  const GruUnit unit{hidden};
  all_lines(device, h.dtype(), h.size(), 32, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t r = i / hidden, k = i % hidden;
      next.raw<T>()[i] =
          unit.next(from_x.raw<T>() + r * 3 * hidden + k, from_h.raw<T>() + r * 3 * hidden + k,
                    bias.raw<T>() + k, h.raw<T>()[i], gates.raw<T>() + r * 4 * hidden + k);
    }
  });
}

void step_backward(Device& device, const Tensor& gates, const Tensor& h, const Tensor& dy,
                   Tensor& carry, Tensor& from_x, Tensor& from_h) {
  const std::int64_t hidden = h.dim(1);
  const GruUnit unit{hidden};
  all_lines(device, h.dtype(), h.size(), 32, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t r = i / hidden, k = i % hidden;
      carry.raw<T>()[i] = unit.pull(
          gates.raw<T>() + r * 4 * hidden + k, h.raw<T>()[i], dy.raw<T>()[i] + carry.raw<T>()[i],
          from_x.raw<T>() + r * 3 * hidden + k, from_h.raw<T>() + r * 3 * hidden + k);
    }
  });
}

const bool gru_recurrence_added = kernel::gru_step_fwd.add(Backend::reference, step_forward) &&
                                  kernel::gru_step_fwd.add(Backend::cpu, step_forward) &&
                                  kernel::gru_step_bwd.add(Backend::reference, step_backward) &&
                                  kernel::gru_step_bwd.add(Backend::cpu, step_backward);

}  // namespace

Var gru_recurrence(const Var& from_x, const Var& weight, const Var& bias, const Var& h0,
                   bool reversed) {
  const std::int64_t hidden = h0.rank() == 2 ? h0.dim(1) : 0;
  DML_CHECK(from_x.rank() == 3 && h0.rank() == 2 && from_x.dim(1) == h0.dim(0) &&
                from_x.dim(2) == 3 * hidden && weight.shape() == (Shape{3 * hidden, hidden}) &&
                bias.shape() == Shape{3 * hidden},
            "gru_recurrence: from_x " + to_string(from_x.shape()) + ", weight " +
                to_string(weight.shape()) + ", bias " + to_string(bias.shape()) + ", h0 " +
                to_string(h0.shape()) +
                "; [time, batch, 3 h], [3 h, h], [3 h], [batch, h] are needed");
  return apply(GruRecurrence{.reversed = reversed}, from_x, weight, bias, h0);
}

}  // namespace dml
