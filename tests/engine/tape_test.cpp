#include "engine/tape.hpp"

#include <doctest/doctest.h>

namespace dml {
namespace {

/// y = factor x
struct Scale {
  double factor;
  Tensor forward(Device& device, const Tensor& x) const {
    Tensor y = device.empty(x.shape(), x.dtype());
    for (std::int64_t i = 0; i < x.size(); ++i) y.raw<double>()[i] = factor * x.raw<double>()[i];
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    return {forward(device, dy)};
  }
};

/// y = a + b; hands the same gradient tensor to both inputs.
struct Add {
  Tensor forward(Device& device, const Tensor& a, const Tensor& b) const {
    Tensor y = device.empty(a.shape(), a.dtype());
    add_tensors(device, a, b, y);
    return y;
  }
  Grads<2> backward(Device&, const Tensor& dy, std::array<bool, 2>) const { return {dy, dy}; }
};

/// y = sum of all inputs
struct AddMany {
  Tensor forward(Device& device, std::span<const Tensor> x) const {
    Tensor y = x[0].clone();
    for (std::size_t i = 1; i < x.size(); ++i) add_tensors(device, y, x[i], y);
    return y;
  }
  std::vector<Tensor> backward(Device&, const Tensor& dy, const std::vector<bool>& wanted) const {
    return std::vector<Tensor>(wanted.size(), dy);
  }
};

Tensor number(double value) { return Tensor::of<double>({1}, {value}); }

TEST_CASE("tape: gradients of shared values are added") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const Var x = tape->variable(number(2));
  const Var y = apply(Add{}, apply(Scale{3}, x), apply(Add{}, x, x));  // 3 x + 2 x
  CHECK(y.value().item() == 10);
  tape->backward(y);
  CHECK(tape->gradient(x).item() == 5);
}

TEST_CASE("tape: an op that hands one gradient to two inputs corrupts neither") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const Var a = tape->variable(number(1)), b = tape->variable(number(1));
  const Var c = apply(Add{}, a, b);
  tape->backward(apply(Add{}, apply(Scale{10}, a), c));  // 11 a + b
  CHECK(tape->gradient(a).item() == 11);
  CHECK(tape->gradient(b).item() == 1);
}

TEST_CASE("tape: parameters accumulate over tapes, each in memory of its own") {
  Device device(Backend::reference);
  ParameterStore store(device, DType::f64);
  Parameter& p = Scope(store).parameter("p", {1}, init::constant(1));
  Parameter& q = Scope(store).parameter("q", {1}, init::constant(1));
  for (int step = 0; step < 3; ++step) {
    const auto tape = Tape::train(device);
    tape->backward(apply(Add{}, apply(Add{}, tape->leaf(p), tape->leaf(q)), tape->leaf(p)));
  }
  CHECK(p.grad.item() == 6);
  CHECK(q.grad.item() == 3);
  store.clear_gradients();
  CHECK_FALSE(p.grad.defined());
}

TEST_CASE("tape: frozen parameters, detached values and infer tapes record nothing") {
  Device device(Backend::reference);
  ParameterStore store(device, DType::f64);
  Parameter& p = Scope(store).parameter("p", {1}, init::constant(4));
  const auto infer = Tape::infer(device);
  CHECK(apply(Scale{2}, infer->leaf(p)).value().item() == 8);
  CHECK(infer->length() == 0);
  const auto tape = Tape::train(device);
  CHECK_FALSE(apply(Scale{2}, tape->leaf(p).detached()).needs_grad());
  p.trainable = false;
  const auto frozen = Tape::train(device);
  const Var y = apply(Scale{2}, frozen->leaf(p));
  CHECK(frozen->length() == 0);
  CHECK_THROWS_AS(frozen->backward(y), ShapeError);
}

TEST_CASE("tape: ops of any number of inputs, several outputs") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const std::vector<Var> x{tape->variable(number(1)), tape->input(number(2)),
                           tape->variable(number(3))};
  const Var sum = tape->run_many(AddMany{}, x);
  const Var twice = apply(Scale{2}, x[0]);
  const std::vector<std::pair<Var, Tensor>> outputs{{sum, number(1)}, {twice, number(10)}};
  tape->backward(outputs);
  CHECK(sum.value().item() == 6);
  CHECK(tape->gradient(x[0]).item() == 21);
  CHECK(tape->gradient(x[2]).item() == 1);
}

TEST_CASE("tape: a chain of a hundred thousand ops neither recurses nor overflows") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const Var x = tape->variable(number(1));
  Var y = x;
  for (int i = 0; i < 100000; ++i) y = apply(Scale{1}, y);
  tape->backward(y);
  CHECK(tape->gradient(x).item() == 1);
}

TEST_CASE("tape: random streams repeat in order and differ from each other") {
  Device device(Backend::reference);
  const auto one = Tape::train(device, Random(7, Purpose::dropout, 0, 3));
  const auto two = Tape::train(device, Random(7, Purpose::dropout, 0, 3));
  const auto a = one->next_random().bits(0), b = one->next_random().bits(0);
  CHECK(a == two->next_random().bits(0));
  CHECK(b == two->next_random().bits(0));
  CHECK(a != b);
}

}  // namespace
}  // namespace dml
