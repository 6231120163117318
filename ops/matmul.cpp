#include "ops/matmul.hpp"

#include <vector>

namespace dml {
namespace {

/// A stack of matrices [g, rows, columns] as one tensor [g rows, columns] or as it is.
Tensor stacked(const Tensor& x) {
  if (x.rank() <= 3) return x;
  const std::int64_t rows = x.dim(-2), columns = x.dim(-1);
  const std::int64_t matrices = rows * columns == 0 ? 0 : x.size() / (rows * columns);
  return x.reshape({matrices, rows, columns});
}

/// An operand as it is multiplied: f32 is rounded where bf16 is asked for.
Tensor factor(Device& device, const Tensor& x, DType products) {
  return x.dtype() == DType::f32 && products == DType::bf16 ? converted(device, x, products) : x;
}

/// The type of the products of two operands: bf16 where it is asked for or one of them is bf16.
DType products_of(const Tensor& a, const Tensor& b, DType wanted) {
  return a.dtype() == DType::bf16 || b.dtype() == DType::bf16 ? DType::bf16 : wanted;
}

/// y = op(a) op(b). With G = dy:
///   da = G op(b)^T, or its transpose op(b) G^T where a is read transposed; db likewise.
struct Matmul {
  Transpose transpose;
  DType products;
  Tensor a{}, b{};           // kept for the backward pass, rounded
  DType a_type{}, b_type{};  // of the gradients

  Tensor forward(Device& device, const Tensor& left, const Tensor& right) {
    products = products_of(left, right, products);
    a_type = left.dtype();
    b_type = right.dtype();
    a = factor(device, left, products);
    b = factor(device, right, products);
    Shape shape = a.shape();
    shape[shape.size() - 2] = a.dim(transpose.a ? -1 : -2);
    shape.back() = b.dim(transpose.b ? -2 : -1);
    Tensor y = device.empty(shape, a_type);
    Tensor flat = stacked(y);
    kernel::matmul(device, stacked(a), stacked(b), transpose, 1, 0, flat);
    return y;
  }

  Grads<2> backward(Device& device, const Tensor& dy, std::array<bool, 2> wanted) const {
    const Tensor g = stacked(factor(device, dy, products)), left = stacked(a), right = stacked(b);
    Tensor da, db;
    if (wanted[0]) {
      da = device.empty(a.shape(), a_type);
      Tensor flat = stacked(da);
      if (transpose.a) {
        kernel::matmul(device, right, g, {transpose.b, true}, 1, 0, flat);
      } else {
        kernel::matmul(device, g, right, {false, !transpose.b}, 1, 0, flat);
      }
    }
    if (wanted[1]) {
      db = device.empty(b.shape(), b_type);
      Tensor flat = stacked(db);
      if (transpose.b) {
        kernel::matmul(device, g, left, {true, transpose.a}, 1, 0, flat);
      } else {
        kernel::matmul(device, left, g, {!transpose.a, false}, 1, 0, flat);
      }
    }
    return {da, db};
  }
};

/// y = x w^T + bias:   dx = dy w    dw = dy^T x    dbias = sum of the rows of dy
struct Linear {
  DType products;
  Tensor x{}, weight{};           // kept for the backward pass, rounded
  DType x_type{}, weight_type{};  // of the gradients

  OpDescription describe() const { return {.name = "linear"}; }
  static Tensor flat(const Tensor& tensor) {
    return tensor.reshape({tensor.row_count(), tensor.row_length()});
  }

  Tensor forward(Device& device, const Tensor& in, const Tensor& w) {
    return forward(device, in, w, {});
  }
  Tensor forward(Device& device, const Tensor& in, const Tensor& w, const Tensor& bias) {
    products = products_of(in, w, products);
    x_type = in.dtype();
    weight_type = w.dtype();
    x = factor(device, in, products);
    weight = factor(device, w, products);
    Shape shape = x.shape();
    shape.back() = weight.dim(0);
    Tensor y = device.empty(shape, x_type);
    Tensor rows = flat(y);
    kernel::matmul(device, flat(x), weight, {false, true}, 1, 0, rows);
    if (bias.defined()) kernel::add_bias(device, device.dense(bias), rows);
    return y;
  }

  template <std::size_t N>
  Grads<N> backward(Device& device, const Tensor& dy, std::array<bool, N> wanted) const {
    Grads<N> all;
    const Tensor g = flat(factor(device, dy, products));
    if (wanted[0]) {
      all[0] = device.empty(x.shape(), x_type);
      Tensor dx = flat(all[0]);
      kernel::matmul(device, g, weight, {}, 1, 0, dx);
    }
    if (wanted[1]) {
      all[1] = device.empty(weight.shape(), weight_type);
      kernel::matmul(device, g, flat(x), {true, false}, 1, 0, all[1]);
    }
    if constexpr (N == 3) {
      if (wanted[2]) {
        all[2] = device.empty({weight.dim(0)}, weight_type);
        kernel::sum_rows(device, flat(dy), all[2]);
      }
    }
    return all;
  }
};

void check(const Var& a, const Var& b, Transpose transpose) {
  const std::string shapes = "matmul: " + to_string(a.shape()) +
                             (transpose.a ? " transposed" : "") + " times " + to_string(b.shape()) +
                             (transpose.b ? " transposed" : "");
  DML_CHECK(a.rank() >= 2 && a.rank() == b.rank(),
            shapes + "\n  two matrices, or stacks of equally many, are needed");
  for (int i = 0; i < a.rank() - 2; ++i)
    DML_CHECK(a.dim(i) == b.dim(i), shapes + "\n  the leading dimensions differ");
  DML_CHECK(a.dim(transpose.a ? -2 : -1) == b.dim(transpose.b ? -1 : -2),
            shapes + "\n  the inner sizes differ");
}

}  // namespace

Var matmul(const Var& a, const Var& b, Transpose transpose, DType products) {
  check(a, b, transpose);
  return apply(Matmul{.transpose = transpose, .products = products}, a, b);
}

Var linear(const Var& x, const Var& weight, const Var& bias, DType products) {
  DML_CHECK(x.rank() >= 1 && weight.rank() == 2 && x.dim(-1) == weight.dim(1),
            "linear: x " + to_string(x.shape()) + " and weight " + to_string(weight.shape()) +
                " do not go together; [..., in] and [out, in] are needed");
  if (!bias.defined()) return apply(Linear{.products = products}, x, weight);
  DML_CHECK(bias.shape() == Shape{weight.dim(0)},
            "linear: bias " + to_string(bias.shape()) + " for weight " + to_string(weight.shape()));
  return apply(Linear{.products = products}, x, weight, bias);
}

}  // namespace dml
