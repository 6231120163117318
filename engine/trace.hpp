#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// What an op does, for programs that shall do the same. An op gives it by a member
/// `OpDescription describe() const`, called before its forward pass.
struct OpDescription {
  std::string name;                                          ///< "conv2d"
  std::map<std::string, std::vector<double>> settings = {};  ///< {"stride", {2, 2}}
  std::vector<Tensor> constants = {};  ///< what it reads beside its inputs (running statistics)
};

/// The ops of one inference pass, in the order in which they ran. Values have numbers: the inputs
/// of the pass, constants (weights), and what the ops gave.
class Trace {
 public:
  struct Node {
    OpDescription op;
    std::vector<int> inputs;  ///< values; the description's constants are the last of them
    int output = 0;
  };
  struct Value {
    Shape shape;
    Tensor constant{};  ///< undefined unless this is one
  };

  /// A value that comes from outside. @return its number.
  int input(const Shape& shape);
  /// A value that never changes. The same memory gets the same number again.
  int constant(const Tensor& tensor);
  /// An op that ran.
  /// @param inputs  numbers, or -1 for a constant, which is then the tensor of the same place.
  /// @throws UsageError naming the op when it has no description (an empty name).
  int add(OpDescription op, std::span<const int> inputs, std::span<const Tensor* const> tensors,
          const Shape& output, const char* type);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Value& value(int number) const { return values_.at(static_cast<std::size_t>(number)); }
  /// The nodes that some values depend on, in their order.
  std::vector<Node> needed_for(std::span<const int> values) const;

 private:
  int next(Value value);

  std::vector<Node> nodes_;
  std::vector<Value> values_;
};

}  // namespace dml
