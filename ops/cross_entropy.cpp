#include "ops/cross_entropy.hpp"

#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// The values of the rows; see CrossEntropyRow for the gradient.
struct CrossEntropyRows {
  CrossEntropyRow row;
  std::int64_t ignore;
  Tensor labels, class_weight;
  Tensor weight{};  // [n], what each row counts for in the mean
  Tensor x{};       // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    Tensor cost = device.empty({x.dim(0)}, x.dtype());
    kernel::cross_entropy_fwd(device, x, labels, class_weight, row, ignore, cost, weight);
    return cost;
  }
  Grads<1> backward(Device& device, const Tensor& up, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::cross_entropy_bwd(device, x, labels, class_weight, row, ignore, device.dense(up), dx);
    return {dx};
  }
};

template <class T> const T* elements(const Tensor& optional) {
  return optional.defined() ? optional.raw<T>() : nullptr;
}

template <class T>
void forward_rows(const Tensor& x, const Tensor& labels, const Tensor& w,
                  const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost, Tensor& weight,
                  std::int64_t first, std::int64_t last) {
  const SoftmaxLine line{row.classes, 1};
  for (std::int64_t i = first; i < last; ++i) {
    const T* in = x.raw<T>() + i * row.classes;
    const std::int64_t label = labels.raw<std::int64_t>()[i];
    const bool counts = label != ignore;
    cost.raw<T>()[i] =
        counts ? row.value(in, elements<T>(w), label, line.log_sum(in, T(row.scale))) : T(0);
    weight.raw<T>()[i] = !counts ? T(0) : w.defined() ? w.raw<T>()[label] : T(1);
  }
}

template <class T>
void backward_rows(const Tensor& x, const Tensor& labels, const Tensor& w,
                   const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up, Tensor& dx,
                   std::int64_t first, std::int64_t last) {
  for (std::int64_t i = first; i < last; ++i) {
    const std::int64_t at = i * row.classes, label = labels.raw<std::int64_t>()[i];
    if (label == ignore) {
      std::fill_n(dx.raw<T>() + at, row.classes, T(0));
      continue;
    }
    row.gradient(x.raw<T>() + at, elements<T>(w), label, up.raw<T>()[i], dx.raw<T>() + at);
  }
}

void check_labels(const Tensor& labels, std::int64_t classes, std::int64_t ignore) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  for (std::int64_t i = 0; i < labels.size(); ++i)
    DML_CHECK(label[i] == ignore || (label[i] >= 0 && label[i] < classes),
              "cross_entropy: label " + std::to_string(label[i]) + " in row " + std::to_string(i) +
                  "; labels are 0 to " + std::to_string(classes - 1));
}

void forward_reference(Device&, const Tensor& x, const Tensor& labels, const Tensor& w,
                       const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost,
                       Tensor& weight) {
  check_labels(labels, row.classes, ignore);
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(x, labels, w, row, ignore, cost, weight, first, last);
  });
}
void forward_cpu(Device& device, const Tensor& x, const Tensor& labels, const Tensor& w,
                 const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost, Tensor& weight) {
  check_labels(labels, row.classes, ignore);
  threaded_lines(device, x.dim(0), row.classes,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   forward_rows<T>(x, labels, w, row, ignore, cost, weight, first, last);
                 });
}
void backward_reference(Device&, const Tensor& x, const Tensor& labels, const Tensor& w,
                        const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up,
                        Tensor& dx) {
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(x, labels, w, row, ignore, up, dx, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& x, const Tensor& labels, const Tensor& w,
                  const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up, Tensor& dx) {
  threaded_lines(device, x.dim(0), row.classes,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   backward_rows<T>(x, labels, w, row, ignore, up, dx, first, last);
                 });
}

const bool cross_entropy_added =
    kernel::cross_entropy_fwd.add(Backend::reference, forward_reference) &&
    kernel::cross_entropy_fwd.add(Backend::cpu, forward_cpu) &&
    kernel::cross_entropy_bwd.add(Backend::reference, backward_reference) &&
    kernel::cross_entropy_bwd.add(Backend::cpu, backward_cpu);

void check(const Var& x, const Tensor& labels, const CrossEntropyOptions& options) {
  DML_CHECK(x.rank() == 2 && x.dim(1) > 0 && labels.shape() == Shape{x.dim(0)},
            "cross_entropy: logits " + to_string(x.shape()) + " and labels " +
                to_string(labels.shape()) + "; [n, c] and [n] are needed");
  if (labels.dtype() != DType::i64)
    throw TypeError(std::string("cross_entropy: labels are ") + name_of(labels.dtype()) +
                    ", not i64");
  DML_CHECK(!options.class_weight.defined() || options.class_weight.shape() == Shape{x.dim(1)},
            "cross_entropy: class weights " + to_string(options.class_weight.shape()) + " for " +
                std::to_string(x.dim(1)) + " classes");
  if (!(options.temperature > 0) || options.label_smoothing < 0 || options.label_smoothing > 1)
    throw UsageError("cross_entropy: temperature " + std::to_string(options.temperature) +
                     " and label smoothing " + std::to_string(options.label_smoothing) +
                     "; above 0, and 0 to 1, are allowed");
}

}  // namespace

Var cross_entropy(const Var& x, const Tensor& labels, const CrossEntropyOptions& options) {
  check(x, labels, options);
  Device& device = x.device();
  const Tensor w = options.class_weight.defined() ? device.upload(options.class_weight) : Tensor();
  // The op writes the weights of the rows into this tensor: they are no differentiable result.
  const Tensor weight = device.empty({x.dim(0)}, x.dtype());
  const Var rows =
      apply(CrossEntropyRows{.row = {x.dim(1), options.label_smoothing, 1 / options.temperature},
                             .ignore = options.ignore_index,
                             .labels = device.upload(labels),
                             .class_weight = w,
                             .weight = weight},
            x);
  if (options.reduction == Reduction::none) return rows;
  if (options.reduction == Reduction::sum) return sum(rows);
  return sum(rows) / sum(x.constant_like(weight));
}

Var cross_entropy_soft(const Var& x, const Var& q) {
  DML_CHECK(x.rank() == 2,
            "cross_entropy_soft: logits " + to_string(x.shape()) + " are not [n, c]");
  return sum(q * log_softmax(x)) * (-1.0 / static_cast<double>(x.dim(0)));
}

}  // namespace dml
