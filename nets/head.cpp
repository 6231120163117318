#include "nets/head.hpp"

#include <cmath>

#include "ops/dropout.hpp"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

Linear make_linear(const HeadOptions& options, const Scope& scope, std::int64_t in) {
  const std::int64_t out = options.dim;
  const Scope place = scope / options.name;
  if (options.init == "he")
    return {place, in, out, init::normal(std::sqrt(2 / static_cast<double>(out))), init::zeros()};
  if (options.init == "truncated")
    return {place, in, out, init::truncated_normal(0.1, 2), init::constant(0.1)};
  if (options.init == "small")
    return {place, in, out, init::truncated_normal(0.001, 2), init::zeros()};
  const Init uniform = init::uniform(1 / std::sqrt(static_cast<double>(in)));
  return {place, in, out, uniform, uniform};
}

/// a + b; the gradient goes to both.
struct Sum {
  OpDescription describe() const { return {.name = "add"}; }
  Tensor forward(Device& device, const Tensor& a, const Tensor& b) const {
    Tensor y = device.empty(a.shape(), a.dtype());
    add_tensors(device, a, b, y);
    return y;
  }
  Grads<2> backward(Device&, const Tensor& dy, std::array<bool, 2>) const { return {dy, dy}; }
};

/// [n, 1, 1, c] -> [n, c]
Var one_value(const Var& map) {
  DML_CHECK(map.dim(1) == 1 && map.dim(2) == 1,
            "a pooling window of 7 x 7 leaves a map of " + std::to_string(map.dim(1)) + " x " +
                std::to_string(map.dim(2)) +
                "; use images of which the net makes a map of 7 x 7, or pooling avg or max");
  return global_avg_pool(map);  // of one value
}

}  // namespace

Head::Head(const HeadOptions& options, const Scope& scope, std::int64_t width)
    : options_(options), width_(width) {
  if (options.dim > 0) linear_.emplace(make_linear(options, scope, width));
  if (options.neck) {
    neck_.emplace(LayerScope{scope / "bottleneck", norms_}, dim());
    neck_->bias().trainable = false;
  }
}

Var Head::pool(const Var& map) const {
  const Pool2dOptions window{.kernel = {7, 7}, .stride = {1, 1}, .ceil_mode = true};
  if (options_.pooling == "max") return global_max_pool(map);
  if (options_.pooling == "both") return apply(Sum{}, global_avg_pool(map), global_max_pool(map));
  if (options_.pooling == "avg7") return one_value(avg_pool2d(map, window));
  if (options_.pooling == "max7") return one_value(max_pool2d(map, window));
  return global_avg_pool(map);
}

Outputs Head::operator()(const Var& map) const {
  Outputs outputs;
  outputs.features = pool(map);
  const Var seen = dropout(outputs.features, options_.dropout);
  outputs.embedding = linear_ ? (*linear_)(seen) : seen;
  if (neck_) outputs.neck = (*neck_)(outputs.embedding, {});
  if (options_.normalize == "maximum")
    outputs.embedding = l2_normalize(outputs.embedding, 1e-12, NormFloor::maximum);
  if (options_.normalize == "added")
    outputs.embedding = l2_normalize(outputs.embedding, 1e-12, NormFloor::added);
  return outputs;
}

}  // namespace dml
