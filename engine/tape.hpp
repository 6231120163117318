#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "engine/device.hpp"
#include "engine/parameter.hpp"
#include "engine/random.hpp"
#include "engine/trace.hpp"
#include "engine/var.hpp"

namespace dml {

/// Gradients with respect to the inputs of an op; an undefined tensor stands for "none".
template <std::size_t N> using Grads = std::array<Tensor, N>;

/// Records operations in the order in which they run; that order is already topological, so the
/// backward pass is one loop from the last node to the first.
class Tape : public std::enable_shared_from_this<Tape> {
 public:
  enum class Mode : std::uint8_t { train, infer };

  /// A tape that records. `random` is the stream of dropout and the like of this step.
  static std::shared_ptr<Tape> train(Device& device, Random random = {0, Purpose::dropout}) {
    return std::shared_ptr<Tape>(new Tape(device, Mode::train, random));
  }
  /// A tape that records nothing and keeps nothing; layers behave as at test time.
  /// @param first_row  which row of a larger set the first row of the batch is.
  static std::shared_ptr<Tape> infer(Device& device, std::int64_t first_row = 0) {
    std::shared_ptr<Tape> tape(new Tape(device, Mode::infer, {0, Purpose::dropout}));
    tape->first_row_ = first_row;
    return tape;
  }
  /// An inference tape that writes down in `trace` what runs on it, from its variable()s on. Layers
  /// that would compute several ops as one leave them apart. `trace` outlives the tape.
  static std::shared_ptr<Tape> trace(Device& device, Trace& trace) {
    std::shared_ptr<Tape> tape(new Tape(device, Mode::infer, {0, Purpose::dropout}));
    tape->trace_ = &trace;
    return tape;
  }

  Device& device() const { return device_; }
  bool training() const { return mode_ == Mode::train; }
  bool tracing() const { return trace_ != nullptr; }
  std::size_t length() const { return nodes_.size(); }
  /// Which row of the set that is being embedded the first row of the batch is; 0 in training.
  std::int64_t first_row() const { return first_row_; }
  /// A stream that no one else on this tape gets (dropout masks). Same order, same numbers.
  Random next_random() { return random_.split(draws_++); }

  /// A constant on this tape; uploaded when it lies elsewhere.
  Var input(const Tensor& tensor) { return {device_.upload(tensor), shared_from_this()}; }
  /// A value whose gradient is wanted: after backward(), gradient(of it) gives it. On a tape that
  /// traces, an input of what is traced.
  Var variable(const Tensor& tensor);
  /// The parameter as a leaf, created once per tape. On an infer tape, and for a parameter that is
  /// not trainable, a constant.
  Var leaf(Parameter& parameter);

  /// Runs op; appends it when a gradient is wanted.
  template <class Op, class... Vars> Var run(Op op, const Vars&... x) {
    OpDescription told;
    if (tracing()) told = description_of(op);
    Tensor y = op.forward(device_, x.value()...);
    if (tracing()) {
      const std::array<Var, sizeof...(x)> inputs{x...};
      return traced(std::move(told), inputs, y, typeid(Op).name());
    }
    if (!training() || !(x.needs_grad() || ...)) return {std::move(y), shared_from_this()};
    nodes_.push_back(
        {std::make_unique<RuleOf<Op, sizeof...(x)>>(std::move(op)), {x.node()...}, {}});
    return {std::move(y), shared_from_this(), static_cast<int>(nodes_.size()) - 1};
  }
  /// The same for an op of any number of inputs: forward(Device&, std::span<const Tensor>) and
  /// backward(Device&, const Tensor& dy, const std::vector<bool>& wanted) -> vector of gradients.
  template <class Op> Var run_many(Op op, std::span<const Var> x);

  /// Adds d(loss)/d(parameter) to Parameter::grad of every trainable parameter that the loss
  /// depends on, and keeps the gradients of variable()s. The tape is used up.
  /// @throws ShapeError unless loss is one number that depends on a parameter or variable.
  void backward(const Var& loss);
  /// The same from a given d(objective)/d(output) for each of several outputs.
  void backward(std::span<const std::pair<Var, Tensor>> outputs);

  /// The gradient of a variable() after backward(); undefined when nothing depends on it.
  Tensor gradient(const Var& variable) const;

 private:
  struct Rule {
    virtual ~Rule() = default;
    virtual void pull(Device&, Tensor dy, const std::vector<int>& inputs, Tape&) = 0;
  };
  template <class Op, std::size_t N> struct RuleOf final : Rule {
    explicit RuleOf(Op o) : op(std::move(o)) {}
    void pull(Device& device, Tensor dy, const std::vector<int>& inputs, Tape& tape) override {
      std::array<bool, N> wanted;
      for (std::size_t i = 0; i < N; ++i) wanted[i] = inputs[i] != Var::constant;
      Grads<N> dx = op.backward(device, std::move(dy), wanted);
      for (std::size_t i = 0; i < N; ++i)
        if (wanted[i] && dx[i].defined()) tape.accumulate(inputs[i], std::move(dx[i]));
    }
    Op op;
  };
  template <class Op> struct RuleOfMany final : Rule {
    explicit RuleOfMany(Op o) : op(std::move(o)) {}
    void pull(Device& device, Tensor dy, const std::vector<int>& inputs, Tape& tape) override {
      std::vector<bool> wanted;
      for (const int input : inputs) wanted.push_back(input != Var::constant);
      std::vector<Tensor> dx = op.backward(device, std::move(dy), wanted);
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (wanted[i] && dx[i].defined()) tape.accumulate(inputs[i], std::move(dx[i]));
    }
    Op op;
  };
  struct Node {
    std::unique_ptr<Rule> rule;  // null for leaves
    std::vector<int> inputs;
    Tensor grad;
    Parameter* parameter = nullptr;
    bool keep = false;
  };

  Tape(Device& device, Mode mode, Random random) : device_(device), mode_(mode), random_(random) {}
  void accumulate(int node, Tensor gradient);
  void unroll(int last);
  template <class Op> static OpDescription description_of(const Op& op) {
    if constexpr (requires { op.describe(); }) {
      return op.describe();
    } else {
      return {};
    }
  }
  Var traced(OpDescription told, std::span<const Var> x, const Tensor& y, const char* type);

  Device& device_;
  Mode mode_;
  Random random_;
  std::uint64_t draws_ = 0;
  std::int64_t first_row_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::pair<Parameter*, int>> leaves_;
  Trace* trace_ = nullptr;
};

template <class Op> Var Tape::run_many(Op op, std::span<const Var> x) {
  std::vector<Tensor> values;
  std::vector<int> inputs;
  bool wanted = false;
  for (const Var& one : x) {
    values.push_back(one.value());
    inputs.push_back(one.node());
    wanted = wanted || one.needs_grad();
  }
  OpDescription told;
  if (tracing()) told = description_of(op);
  Tensor y = op.forward(device_, std::span<const Tensor>(values));
  if (tracing()) return traced(std::move(told), x, y, typeid(Op).name());
  if (!training() || !wanted) return {std::move(y), shared_from_this()};
  nodes_.push_back({std::make_unique<RuleOfMany<Op>>(std::move(op)), std::move(inputs), {}});
  return {std::move(y), shared_from_this(), static_cast<int>(nodes_.size()) - 1};
}

/// Runs op on its inputs and, when a gradient is wanted, records it. An op is a struct with
///   Tensor forward(Device&, const Tensor& x...)
///   Grads<N> backward(Device&, Tensor dy, std::array<bool, N> wanted)   (const or not; dy may be
///     overwritten when dy.unshared(); it may have a pitch)
template <class Op, class... Vars> Var apply(Op op, const Var& first, const Vars&... rest) {
  return first.tape().run(std::move(op), first, rest...);
}

/// out = a + b, elementwise; all may have a pitch and out may be a or b.
void add_tensors(Device& device, const Tensor& a, const Tensor& b, Tensor& out);

inline Var Var::leaf(Parameter& parameter) const { return tape_->leaf(parameter); }
inline Var Var::constant_like(const Tensor& tensor) const { return tape_->input(tensor); }
inline Var Var::detached() const {
  return {value_, tape_, tape_ && tape_->tracing() ? node_ : constant};
}
inline Device& Var::device() const { return tape_->device(); }
inline bool Var::training() const { return tape_->training(); }

}  // namespace dml
