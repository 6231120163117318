#include "engine/trace.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "engine/error.hpp"

namespace dml {
namespace {

/// "dml::(anonymous namespace)::Gru" for what typeid says.
std::string readable(const char* type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type, nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type;
}

}  // namespace

int Trace::next(Value value) {
  values_.push_back(std::move(value));
  return static_cast<int>(values_.size()) - 1;
}

int Trace::input(const Shape& shape) { return next({shape}); }

int Trace::constant(const Tensor& tensor) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Tensor& known = values_[i].constant;
    if (known.defined() && known.shares_memory(tensor) && known.offset() == tensor.offset() &&
        known.shape() == tensor.shape())
      return static_cast<int>(i);
  }
  return next({tensor.shape(), tensor});
}

int Trace::add(OpDescription op, std::span<const int> inputs,
               std::span<const Tensor* const> tensors, const Shape& output, const char* type) {
  if (op.name.empty())
    throw UsageError("the op " + readable(type) + " has no description for other programs");
  Node node{.op = std::move(op), .inputs = {}, .output = 0};
  for (std::size_t i = 0; i < inputs.size(); ++i)
    node.inputs.push_back(inputs[i] >= 0 ? inputs[i] : constant(*tensors[i]));
  for (const Tensor& one : node.op.constants) node.inputs.push_back(constant(one));
  node.output = next({output});
  nodes_.push_back(std::move(node));
  return nodes_.back().output;
}

std::vector<Trace::Node> Trace::needed_for(std::span<const int> values) const {
  std::vector<bool> wanted(values_.size(), false);
  for (const int value : values) wanted.at(static_cast<std::size_t>(value)) = true;
  std::vector<Node> needed;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (!wanted[static_cast<std::size_t>(node->output)]) continue;
    for (const int input : node->inputs) wanted[static_cast<std::size_t>(input)] = true;
    needed.push_back(*node);
  }
  std::reverse(needed.begin(), needed.end());
  return needed;
}

}  // namespace dml
