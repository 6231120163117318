#include "dml/lm_metric/flow.hpp"

#include <fmt/core.h>

#include <cmath>

#include "engine/error.hpp"
#include "ops/arithmetic.hpp"
#include "ops/log.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/softplus.hpp"
#include "ops/sum.hpp"

namespace dml::lm {
namespace {

constexpr std::int64_t rows = 16;  // of the grid
constexpr double bounds = 0.95, levels_of_c = 256;

const FlowOptions& checked(const FlowOptions& options, std::int64_t dim) {
  const std::int64_t unit = rows << options.levels;
  if (options.levels < 1 || options.levels > 4 || options.steps < 1 || options.channels < 1)
    throw UsageError(
        fmt::format("a flow of {} levels, {} steps and {} channels; 1 to 4 levels, "
                    "steps and channels from 1 are possible",
                    options.levels, options.steps, options.channels));
  if (dim < 1 || dim % unit != 0)
    throw UsageError(fmt::format(
        "a flow of {} levels cannot hold vectors of {} numbers\n  take a multiple of {}",
        options.levels, dim, unit));
  return options;
}

/// [n, dim] -> [n, 16, dim / 16, 1]
Var grid(const Var& x) { return reshape(x, {x.dim(0), rows, x.dim(1) / rows, 1}); }

void check_shape(const Var& x, std::int64_t n, std::int64_t dim, const char* what) {
  DML_CHECK(x.shape() == (Shape{n, dim}),
            fmt::format("flow: {} {}; [{}, {}] is needed", what, to_string(x.shape()), n, dim));
}

/// A NaN passes: who looks for NaN finds it in the loss.
void check_range(const Tensor& c) {
  if (c.place() != Place::host || !c.packed()) return;  // where looking costs nothing
  visit_float(c.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < c.size(); ++i) {
      const T value = c.raw<T>()[i];
      DML_CHECK(
          !(value < T(0)) && !(value > T(1)),
          fmt::format("flow: a context of {}; it must lie in [0, 1]", static_cast<double>(value)));
    }
  });
}

}  // namespace

FlowStep::FlowStep(const Scope& scope, std::int64_t channels, std::int64_t condition,
                   std::int64_t middle)
    : norm_(scope / "norm", channels),
      conv_(scope / "conv", channels),
      coupling_(scope / "coup", channels, condition, middle) {}

Flowing FlowStep::forward(const Flowing& x, const Var& condition, bool live) const {
  return coupling_.forward(conv_.forward(norm_.forward(x, live)), condition, live);
}

Flowing FlowStep::inverse(const Flowing& y, const Var& condition, bool live) const {
  return norm_.inverse(conv_.inverse(coupling_.inverse(y, condition, live)));
}

FlowLevel::FlowLevel(const Scope& scope, std::int64_t channels, std::int64_t condition,
                     const FlowOptions& options, std::int64_t levels) {
  for (int i = 0; i < static_cast<int>(options.steps); ++i)
    steps_.emplace_back(scope / "steps" / i, channels, condition, options.channels);
  // Squeezing makes four times the channels, of which half go on; the condition keeps all.
  if (levels > 1)
    next_ = std::make_unique<FlowLevel>(scope / "next", 2 * channels, 4 * condition, options,
                                        levels - 1);
}

Flowing FlowLevel::forward(const Flowing& x, const Var& condition, bool live) const {
  Flowing y = x;
  for (const FlowStep& step : steps_) y = step.forward(y, condition, live);
  if (!next_) return y;
  const Var all = squeeze(y.map);
  const std::int64_t c = all.dim(3);
  const Flowing half =
      next_->forward({slice(all, 3, 0, c / 2), y.log_det}, squeeze(condition), live);
  return {unsqueeze(concat({half.map, slice(all, 3, c / 2, c)}, 3)), half.log_det};
}

Flowing FlowLevel::inverse(const Flowing& y, const Var& condition, bool live) const {
  Flowing x = y;
  if (next_) {
    const Var all = squeeze(x.map);
    const std::int64_t c = all.dim(3);
    const Flowing half =
        next_->inverse({slice(all, 3, 0, c / 2), x.log_det}, squeeze(condition), live);
    x = {unsqueeze(concat({half.map, slice(all, 3, c / 2, c)}, 3)), half.log_det};
  }
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
    x = step->inverse(x, condition, live);
  return x;
}

ConditionalFlow::ConditionalFlow(const Scope& scope, std::int64_t dim, const FlowOptions& options)
    : dim_(dim), flows_(scope / "flows", 4, 4, checked(options, dim), options.levels) {}

ConditionalFlow::Latent ConditionalFlow::forward(const Var& c, const Var& e, const Var& noise,
                                                 bool live) const {
  const std::int64_t n = c.rank() == 2 ? c.dim(0) : 0;
  check_shape(c, n, dim_, "the context");
  check_shape(e, n, dim_, "the condition");
  check_shape(noise, n, dim_, "the noise");
  check_range(c.value());
  const Var level = ((levels_of_c - 1) * c + noise) / levels_of_c;
  const Var inside = ((2.0 * level - 1.0) * bounds + 1.0) / 2.0;
  const Var stretched = log(inside) - log(1.0 - inside);
  const double edge = std::log1p((1 - bounds) / bounds);  // softplus(log(1 - bounds) - log(bounds))
  const Var log_det =
      sum(softplus(stretched) + softplus(-stretched), 1) - static_cast<double>(dim_) * edge;
  const Flowing out = flows_.forward({squeeze(grid(stretched)), log_det}, squeeze(grid(e)), live);
  return {reshape(unsqueeze(out.map), {n, dim_}), out.log_det};
}

Var ConditionalFlow::negative_log_likelihood(const Latent& found) const {
  const double d = static_cast<double>(dim_), two_pi = 6.283185307179586;
  const Var prior = -0.5 * sum(square(found.latent), 1) - 0.5 * d * std::log(two_pi);
  return -mean(prior + found.log_det - d * std::log(levels_of_c));
}

Flowing ConditionalFlow::inverse(const Var& latent, const Var& e, bool live, bool log_det) const {
  const std::int64_t n = latent.rank() == 2 ? latent.dim(0) : 0;
  check_shape(latent, n, dim_, "the latent");
  check_shape(e, n, dim_, "the condition");
  Flowing start{squeeze(grid(latent))};
  if (log_det) start.log_det = latent.constant_like(Tensor({n}, latent.dtype()));
  const Flowing out = flows_.inverse(start, squeeze(grid(e)), live);
  return {reshape(unsqueeze(out.map), {n, dim_}), out.log_det};
}

}  // namespace dml::lm
