#include "dml/intra_batch/graph.hpp"

#include <fmt/core.h>

#include "ops/arithmetic.hpp"
#include "ops/barrier.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/max_axis.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml::intra_batch {
namespace {

/// [n, n] of ones with a diagonal of zeros.
Tensor off_diagonal(std::int64_t n, DType type) {
  Tensor mask = Tensor::empty({n, n}, type);
  visit_float(type, [&]<class T>() {
    for (std::int64_t i = 0; i < n * n; ++i) mask.raw<T>()[i] = i % (n + 1) == 0 ? T(0) : T(1);
  });
  return mask;
}

}  // namespace

std::optional<double> GraphOptions::threshold() const {
  if (thresh == "no") return std::nullopt;
  double value = 0;
  schema::assign({"thresh", "number", "no", "", {-1e6, 1e6}, ""}, thresh, value);
  return value;
}

Var similarity(const Var& x, std::int64_t groups, const GraphOptions& options) {
  DML_CHECK(x.rank() == 2 && groups > 0 && x.dim(0) % groups == 0,
            fmt::format("intra_batch: {} rows cannot be {} graphs of one size",
                        to_string(x.shape()), groups));
  const std::int64_t n = x.dim(0) / groups;
  Var rows = x;
  if (options.sim_type == "correlation")
    rows = l2_normalize(x - broadcast_to(mean(x, -1, true), x.shape()));
  rows = reshape(rows, {groups, n, x.dim(1)});
  const Var w = matmul(rows, rows, {.b = true});  // [g, n, n]
  if (options.set_negative == "hard") return relu(w);
  const Var least = amin(reshape(w, {groups, n * n}), 1, true);
  const Var lifted = w - broadcast_to(reshape(least, {groups, 1, 1}), w.shape());
  return lifted * broadcast_to(x.constant_like(off_diagonal(n, x.dtype())), w.shape());
}

Graph make_graph(const Var& x, std::int64_t groups, const GraphOptions& options, bool attributes) {
  const std::optional<double> threshold = options.threshold();
  Graph graph{.groups = groups, .nodes = x.dim(0) / groups};
  if (!threshold && !attributes) return graph;
  const Var w = similarity(x, groups, options);
  if (attributes) graph.attributes = w;
  if (threshold) graph.barrier = barrier(w.detached(), *threshold);
  return graph;
}

}  // namespace dml::intra_batch
