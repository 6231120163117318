#pragma once
#include <utility>
#include <vector>

#include "ops/arithmetic.hpp"
#include "ops/gru_recurrence.hpp"
#include "ops/matmul.hpp"
#include "ops/reshape.hpp"
#include "ops/sigmoid.hpp"
#include "ops/slice.hpp"
#include "ops/tanh.hpp"

namespace dml {

/// Weights of a gated recurrent unit in PyTorch's order of rows: reset, update, new.
/// input [3h, in], hidden [3h, h], the biases [3h].
struct GruWeights {
  Var input, hidden, input_bias, hidden_bias;
};

/// One step of a gated recurrent unit (Cho et al., EMNLP 2014, as PyTorch has it):
///   r = sigmoid(Wr x + Ur h),  z = sigmoid(Wz x + Uz h),  n = tanh(Wn x + r (Un h)),
///   h' = (1 - z) n + z h,  with a bias in each product.
/// @param x, h  [batch, in], [batch, hidden]   @return [batch, hidden]
inline Var gru_cell(const Var& x, const Var& h, const GruWeights& w) {
  const std::vector<Var> from_x = split(linear(x, w.input, w.input_bias), -1, 3);
  const std::vector<Var> from_h = split(linear(h, w.hidden, w.hidden_bias), -1, 3);
  const Var r = sigmoid(from_x[0] + from_h[0]);
  const Var z = sigmoid(from_x[1] + from_h[1]);
  const Var n = tanh(from_x[2] + r * from_h[2]);
  return (1.0 - z) * n + z * h;
}

/// What a recurrent layer returns.
struct GruResult {
  Var output;  ///< [time, batch, hidden], twice as many columns when bidirectional
  Var last;    ///< the state after the last step: [batch, hidden], or [2, batch, hidden]
};

/// A sequence through one unit, from the last step to the first when reversed.
/// @param x   [time, batch, in], at least one step.   @param h0  [batch, hidden]
inline GruResult gru(const Var& x, const Var& h0, const GruWeights& w, bool reversed = false) {
  const std::int64_t time = x.rank() == 3 ? x.dim(0) : 0;
  DML_CHECK(time > 0,
            "gru: x " + to_string(x.shape()) + "; [time, batch, in] with a step is needed");
  const Var states =
      gru_recurrence(linear(x, w.input, w.input_bias), w.hidden, w.hidden_bias, h0, reversed);
  const std::int64_t end = reversed ? 0 : time - 1;
  return {states, reshape(slice(states, 0, end, end + 1), h0.shape())};
}

/// The sequence through one unit forwards and another backwards; the halves of the columns are the
/// outputs of the two.   @param h0  [2, batch, hidden]
inline GruResult bidirectional_gru(const Var& x, const Var& h0, const GruWeights& forwards,
                                   const GruWeights& backwards) {
  const Shape state{h0.dim(1), h0.dim(2)};
  const GruResult a = gru(x, reshape(slice(h0, 0, 0, 1), state), forwards);
  const GruResult b = gru(x, reshape(slice(h0, 0, 1, 2), state), backwards, true);
  return {concat({a.output, b.output}, 2), stack({a.last, b.last}, 0)};
}

}  // namespace dml
