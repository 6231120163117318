#pragma once
#include <memory>
#include <utility>

#include "engine/tensor.hpp"

namespace dml {

class Device;
struct Parameter;
class Tape;

/// A value in a computation, together with the tape that may differentiate it.
class Var {
 public:
  static constexpr int constant = -1;

  Var() = default;
  Var(Tensor value, std::shared_ptr<Tape> tape, int node = constant)
      : value_(std::move(value)), tape_(std::move(tape)), node_(node) {}

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  std::int64_t dim(int i) const { return value_.dim(i); }
  int rank() const { return value_.rank(); }
  DType dtype() const { return value_.dtype(); }

  Tape& tape() const { return *tape_; }
  const std::shared_ptr<Tape>& shared_tape() const { return tape_; }
  Device& device() const;
  bool training() const;
  int node() const { return node_; }
  bool needs_grad() const { return node_ != constant; }

  /// A value outside the differentiation, on the same tape; host tensors are uploaded.
  Var constant_like(const Tensor& tensor) const;
  /// The same value without a node: no gradient flows back through it.
  Var detached() const;
  /// The parameter as a leaf of this computation.
  Var leaf(Parameter& parameter) const;

 private:
  Tensor value_;
  std::shared_ptr<Tape> tape_;
  int node_ = constant;
};

}  // namespace dml
