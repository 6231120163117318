#include "ops/batch_norm.hpp"

namespace dml {
namespace {

/// With z = (x - mean) inv_std, g = dy where y > 0 (all of dy without relu), and sums over the
/// rows:
///   dbias = sum g      dweight = sum g z      dadd = g
///   dx = weight inv_std (g - dbias / rows - z dweight / rows)     from the batch's statistics
///   dx = weight inv_std g                                         from the running ones
struct BatchNorm {
  BatchNormOptions options;
  RunningStatistics running;
  bool has_weight, has_bias, has_add;
  Tensor into;
  Tensor x, y, weight, mean, inv_std;  // kept for the backward pass

  OpDescription describe() const {
    const bool plain = has_weight && has_bias && !options.batch_statistics;
    return {.name = plain ? "batch_norm" : "",
            .settings = {{"eps", {options.eps}},
                         {"add", {has_add ? 1.0 : 0.0}},
                         {"relu", {options.relu ? 1.0 : 0.0}}},
            .constants = {running.mean, running.variance}};
  }

  Tensor forward(Device& device, std::span<const Tensor> in) {
    std::size_t next = 1;
    x = in[0];
    weight = has_weight ? device.dense(in[next++]) : Tensor{};
    const Tensor bias = has_bias ? device.dense(in[next++]) : Tensor{};
    const Tensor add = has_add ? in[next] : Tensor{};
    Tensor result = into.defined() ? into : device.empty(x.shape(), x.dtype());
    inv_std = device.empty({x.dim(-1)}, work_type(x.dtype()));
    if (options.batch_statistics) {
      mean = device.empty({x.dim(-1)}, work_type(x.dtype()));
      kernel::batch_norm_train(device, x, weight, bias, add, options, running, mean, inv_std,
                               result);
    } else {
      // The running mean may move before the backward pass reads it.
      mean = device.empty({x.dim(-1)}, work_type(x.dtype()));
      device.copy(running.mean, mean);
      kernel::inverse_deviation(device, running.variance, options.eps, inv_std);
      kernel::batch_norm_apply(device, x, weight, bias, add, mean, inv_std, options.relu, result);
    }
    if (options.relu) y = result;
    into = {};
    return result;
  }

  std::vector<Tensor> backward(Device& device, Tensor dy, const std::vector<bool>& wanted) {
    std::size_t next = 1;
    const bool weight_wanted = has_weight && wanted[next++];
    const bool bias_wanted = has_bias && wanted[next++];
    const bool add_wanted = has_add && wanted[next];
    Tensor dx, dadd, dweight, dbias;
    if (add_wanted)
      dadd =
          !options.relu || (dy.unshared() && dy.packed()) ? dy : device.empty(x.shape(), x.dtype());
    // x is read element by element where dx is written: its memory is free when no one else has it.
    if (wanted[0]) {
      if (x.unshared() && x.packed()) {
        dx = x;
      } else if (!dadd.defined() && dy.unshared() && dy.packed()) {
        dx = dy;
      } else {
        dx = device.empty(x.shape(), x.dtype());
      }
    }
    if (weight_wanted) dweight = device.empty({x.dim(-1)}, work_type(x.dtype()));
    if (bias_wanted) dbias = device.empty({x.dim(-1)}, work_type(x.dtype()));
    kernel::batch_norm_bwd(device, x, y, weight, mean, inv_std, options, dy, dx, dadd, dweight,
                           dbias);
    std::vector<Tensor> all{dx};
    if (has_weight) all.push_back(dweight);
    if (has_bias) all.push_back(dbias);
    if (has_add) all.push_back(dadd);
    return all;
  }
};

void check_vector(const Tensor& tensor, const char* name, const Var& x) {
  DML_CHECK(!tensor.defined() || tensor.shape() == Shape{x.dim(-1)},
            std::string("batch_norm: ") + name + " has shape " + to_string(tensor.shape()) +
                ", the channels of x " + to_string(x.shape()) + " want [" +
                std::to_string(x.dim(-1)) + "]");
}

}  // namespace

Var batch_norm(const Var& x, const Var& weight, const Var& bias, RunningStatistics& running,
               const BatchNormOptions& options, const Var& add, const Tensor& into) {
  DML_CHECK(x.rank() >= 1, "batch_norm: x must be [..., c]");
  check_vector(weight.value(), "weight", x);
  check_vector(bias.value(), "bias", x);
  check_vector(running.mean, "running mean", x);
  check_vector(running.variance, "running variance", x);
  DML_CHECK(!add.defined() || add.shape() == x.shape(),
            "batch_norm: the addend " + to_string(add.shape()) + " for x " + to_string(x.shape()));
  DML_CHECK(!into.defined() || (into.shape() == x.shape() && into.dtype() == x.dtype()),
            "batch_norm: the result has shape " + to_string(x.shape()) + ", its place " +
                to_string(into.shape()));
  DML_CHECK(options.batch_statistics || (running.mean.defined() && running.variance.defined()),
            "batch_norm: without batch statistics the running ones are needed");
  DML_CHECK(!options.batch_statistics || x.value().row_count() > 1,
            "batch_norm: x " + to_string(x.shape()) +
                " has one value per channel, which has no variance\n  use a larger batch, or the "
                "running statistics");
  BatchNorm op{.options = options,
               .running = running,
               .has_weight = weight.defined(),
               .has_bias = bias.defined(),
               .has_add = add.defined(),
               .into = into,
               .x = {},
               .y = {},
               .weight = {},
               .mean = {},
               .inv_std = {}};
  std::vector<Var> inputs{x};
  for (const Var* one : {&weight, &bias, &add})
    if (one->defined()) inputs.push_back(*one);
  return x.tape().run_many(std::move(op), std::span<const Var>(inputs));
}

}  // namespace dml
