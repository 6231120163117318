#include "engine/tape.hpp"

#include "engine/accumulate.hpp"

namespace dml {

void add_tensors(Device& device, const Tensor& a, const Tensor& b, Tensor& out) {
  DML_CHECK(a.shape() == b.shape() && a.shape() == out.shape(),
            "sum of gradients: shapes " + to_string(a.shape()) + ", " + to_string(b.shape()) +
                " and " + to_string(out.shape()) + " differ");
  kernel::accumulate(device, a, b, out);
}

Var Tape::variable(const Tensor& tensor) {
  if (tracing()) return {device_.upload(tensor), shared_from_this(), trace_->input(tensor.shape())};
  if (!training()) return input(tensor);
  nodes_.push_back({nullptr, {}, {}, nullptr, true});
  return {device_.upload(tensor), shared_from_this(), static_cast<int>(nodes_.size()) - 1};
}

Var Tape::leaf(Parameter& parameter) {
  if (!training() || !parameter.trainable || parameter.is_buffer) return input(parameter.value);
  for (const auto& [known, node] : leaves_)
    if (known == &parameter) return {parameter.value, shared_from_this(), node};
  nodes_.push_back({nullptr, {}, {}, &parameter, false});
  leaves_.emplace_back(&parameter, static_cast<int>(nodes_.size()) - 1);
  return {parameter.value, shared_from_this(), leaves_.back().second};
}

Var Tape::traced(OpDescription told, std::span<const Var> x, const Tensor& y, const char* type) {
  std::vector<int> numbers;
  std::vector<const Tensor*> tensors;
  for (const Var& one : x) {
    numbers.push_back(one.node());
    tensors.push_back(&one.value());
  }
  const int number = trace_->add(std::move(told), numbers, tensors, y.shape(), type);
  return {y, shared_from_this(), number};
}

void Tape::accumulate(int node, Tensor gradient) {
  Tensor& into = nodes_[static_cast<std::size_t>(node)].grad;
  if (!into.defined()) {
    into = std::move(gradient);
  } else if (into.unshared() && into.packed()) {
    add_tensors(device_, into, gradient, into);
  } else if (gradient.unshared() && gradient.packed()) {
    add_tensors(device_, into, gradient, gradient);
    into = std::move(gradient);
  } else {
    Tensor sum = device_.empty(into.shape(), into.dtype());
    add_tensors(device_, into, gradient, sum);
    into = std::move(sum);
  }
}

void Tape::backward(const Var& loss) {
  DML_CHECK(loss.needs_grad(), "backward: this value depends on no trainable parameter");
  DML_CHECK(loss.value().size() == 1,
            "backward: the loss must be one number, not " + to_string(loss.shape()));
  Tensor one(loss.shape(), loss.dtype());
  visit_float(one.dtype(), [&]<class T>() { one.data<T>()[0] = T(1); });
  nodes_[static_cast<std::size_t>(loss.node())].grad = device_.upload(one);
  unroll(loss.node());
}

void Tape::backward(std::span<const std::pair<Var, Tensor>> outputs) {
  int last = Var::constant;
  for (const auto& [output, gradient] : outputs) {
    if (!output.needs_grad()) continue;
    DML_CHECK(output.shape() == gradient.shape(), "backward: a gradient of shape " +
                                                      to_string(gradient.shape()) + " for " +
                                                      to_string(output.shape()));
    accumulate(output.node(), device_.upload(gradient));
    last = std::max(last, output.node());
  }
  DML_CHECK(last != Var::constant, "backward: no output depends on a trainable parameter");
  unroll(last);
}

void Tape::unroll(int last) {
  for (int i = last; i >= 0; --i) {
    Node& node = nodes_[static_cast<std::size_t>(i)];
    if (!node.grad.defined() || node.keep) continue;
    if (node.parameter != nullptr) {
      Tensor& total = node.parameter->grad;
      if (total.defined()) {
        add_tensors(device_, total, node.grad, total);
      } else {
        total = device_.dense(node.grad);
        if (!total.unshared() && total.shares_memory(node.grad) &&
            node.grad.storage().use_count() > 2) {
          total = device_.empty(node.grad.shape(), node.grad.dtype());
          device_.copy(node.grad, total);
        }
      }
      node.grad = {};
    } else if (node.rule) {
      // The rule may append nothing: nodes_ keeps its place in memory.
      const std::unique_ptr<Rule> rule = std::move(node.rule);
      rule->pull(device_, std::exchange(node.grad, {}), node.inputs, *this);
    }
  }
}

Tensor Tape::gradient(const Var& variable) const {
  DML_CHECK(variable.needs_grad(), "gradient: this value was not made by Tape::variable");
  return nodes_[static_cast<std::size_t>(variable.node())].grad;
}

}  // namespace dml
