#include "dml/rcdml/relations.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/class_logsumexp.hpp"
#include "ops/class_minimum.hpp"
#include "ops/exp.hpp"
#include "ops/gather.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml::rcdml {
namespace {

Var unit(const Var& x) { return l2_normalize(x, 1e-12, NormFloor::added); }

/// [n, k] of `type`: 1 where rows[i] == columns[k], else 0.
Tensor equal(const Tensor& rows, const Tensor& columns, DType type) {
  Tensor mask = Tensor::empty({rows.size(), columns.size()}, type);
  const auto row = rows.data<std::int64_t>(), column = columns.data<std::int64_t>();
  visit_float(type, [&]<class T>() {
    T* out = mask.raw<T>();
    for (const std::int64_t i : row)
      for (const std::int64_t k : column) *out++ = i == k ? T(1) : T(0);
  });
  return mask;
}

Tensor numbers(std::int64_t n) {
  Tensor all = Tensor::empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) all.raw<std::int64_t>()[i] = i;
  return all;
}

}  // namespace

Slots::Slots(const Labels& labels, std::int64_t number_of_classes)
    : size(std::min(labels.size(), number_of_classes)),
      classes(number_of_classes),
      present(labels.distinct()),
      of_row(Tensor::empty({labels.size()}, DType::i64)),
      row_class(labels.tensor()),
      slot_class({size}, DType::i64),
      holds_class({size}, DType::f64),
      holds_pair({size}, DType::f64) {
  const std::vector<std::int64_t>& order = labels.present();
  for (const std::int64_t label : order)
    DML_CHECK(label >= 0 && label < classes,
              fmt::format("label {} is outside [0, {}), the classes that the loss was made for",
                          label, classes));
  for (std::size_t s = 0; s < order.size(); ++s) {
    slot_class.data<std::int64_t>()[s] = order[s];
    holds_class.data<double>()[s] = 1;
  }
  std::vector<std::int64_t> rows(order.size(), 0);
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const auto place = std::lower_bound(order.begin(), order.end(), labels[i]) - order.begin();
    of_row.raw<std::int64_t>()[i] = place;
    ++rows[static_cast<std::size_t>(place)];
  }
  for (std::size_t s = 0; s < rows.size(); ++s) holds_pair.data<double>()[s] = rows[s] > 1 ? 1 : 0;
}

Correction corrected(const Var& x, const Var& proxies, const Slots& slots, double keep,
                     double mix) {
  const std::int64_t n = x.dim(0), d = x.dim(1);
  const DType type = x.dtype();
  const Var own = index_select(proxies, 0, slots.row_class);
  const Var near = exp(sum(unit(x) * unit(own), -1, true));
  const Var same = x.constant_like(equal(slots.of_row, slots.of_row, type));
  const Var weights = near / matmul(same, near);  // exponents lie in [-1, 1]
  const Var member = x.constant_like(equal(numbers(slots.size), slots.of_row, type));
  const Var moved = matmul(member, x * broadcast_to(weights, {n, d}));
  const Var holds = x.constant_like(slots.holds_class.to(type).reshape({slots.size, 1}));
  const Var stay =
      index_select(proxies, 0, slots.slot_class) * broadcast_to(holds, {slots.size, d});
  return {reshape(weights, {n}), mix * moved + keep * stay};
}

AnchorTerms proxy_anchor_terms(const Var& x, const Var& corrected, const Slots& slots, double alpha,
                               double margin) {
  const Var cosines = matmul(unit(x), unit(corrected), {.a = false, .b = true});
  const Var near =
      class_logsumexp(affine(cosines, -alpha, alpha * margin), slots.of_row, ClassSide::own);
  const Var far =
      class_logsumexp(affine(cosines, alpha, alpha * margin), slots.of_row, ClassSide::other);
  const auto all = static_cast<double>(slots.classes);
  // log(1 + n exp(alpha margin)) without overflow
  const double high = alpha * margin, n = static_cast<double>(x.dim(0));
  const double of_absent = std::max(high, 0.0) + std::log(std::exp(-std::max(high, 0.0)) +
                                                          n * std::exp(std::min(high, 0.0)));
  const double rest = (all - static_cast<double>(slots.size)) * of_absent;
  return {sum(near) / static_cast<double>(slots.present), (sum(far) + rest) / all};
}

Var proxy_relation(const Var& corrected) {
  const Var units = unit(corrected);
  const Var cosines = matmul(units, units, {.a = false, .b = true});
  Tensor others = equal(numbers(corrected.dim(0)), numbers(corrected.dim(0)), corrected.dtype());
  visit_float(others.dtype(), [&]<class T>() {
    for (T& value : others.data<T>()) value = 1 - value;
  });
  return sum(relu(cosines) * corrected.constant_like(others));
}

Var sample_relation(const Var& x, const Slots& slots) {
  const Var units = unit(x);
  const Var cosines = matmul(units, units, {.a = false, .b = true});
  const Var least = class_minimum(cosines, slots.of_row, slots.size);
  return sum(exp(-least) * x.constant_like(slots.holds_pair.to(x.dtype())));
}

}  // namespace dml::rcdml
