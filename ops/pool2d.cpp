#include "ops/pool2d.hpp"

namespace dml {
namespace {

Tensor result_place(Device& device, const Tensor& into, const Shape& shape, DType type) {
  if (!into.defined()) return device.empty(shape, type);
  DML_CHECK(into.shape() == shape && into.dtype() == type, "pooling: the result has shape " +
                                                               to_string(shape) + ", its place " +
                                                               to_string(into.shape()));
  return into;
}

OpDescription describe_window(const char* name, const Pool2dOptions& options) {
  const auto pair = [](const std::array<int, 2>& two) {
    return std::vector<double>(two.begin(), two.end());
  };
  return {.name = name,
          .settings = {{"kernel", pair(options.kernel)},
                       {"stride", pair(options.stride)},
                       {"pad", pair(options.pad)},
                       {"dilation", pair(options.dilation)},
                       {"ceil_mode", {options.ceil_mode ? 1.0 : 0.0}},
                       {"count_include_pad", {options.count_include_pad ? 1.0 : 0.0}}}};
}

OpDescription describe_cells(const char* name, std::int64_t oh, std::int64_t ow) {
  return {.name = name,
          .settings = {{"cells", {static_cast<double>(oh), static_cast<double>(ow)}}}};
}

/// Keeps the place of each maximum; dx at that place takes dy.
struct MaxPool {
  Pool2dOptions options;
  Tensor into;
  bool keep;
  Shape shape{};
  Tensor index{};  // kept for the backward pass

  OpDescription describe() const { return describe_window("max_pool2d", options); }
  Tensor forward(Device& device, const Tensor& x) {
    shape = x.shape();
    const Shape result = pool2d_shape(shape, options);
    Tensor y = result_place(device, std::exchange(into, {}), result, x.dtype());
    if (keep) index = device.empty(result, DType::i32);
    kernel::max_pool2d_fwd(device, x, options, y, index);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, dy.dtype());
    kernel::max_pool2d_bwd(device, dy, index, options, dx);
    return {dx};
  }
};

struct AvgPool {
  Pool2dOptions options;
  Tensor into;
  Shape shape{};

  OpDescription describe() const { return describe_window("avg_pool2d", options); }
  Tensor forward(Device& device, const Tensor& x) {
    shape = x.shape();
    Tensor y =
        result_place(device, std::exchange(into, {}), pool2d_shape(shape, options), x.dtype());
    kernel::avg_pool2d_fwd(device, x, options, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, dy.dtype());
    kernel::avg_pool2d_bwd(device, dy, options, dx);
    return {dx};
  }
};

struct AdaptiveAvgPool {
  std::int64_t oh, ow;
  Shape shape{};

  OpDescription describe() const { return describe_cells("adaptive_avg_pool2d", oh, ow); }
  Tensor forward(Device& device, const Tensor& x) {
    shape = x.shape();
    Tensor y = device.empty({shape[0], oh, ow, shape[3]}, x.dtype());
    kernel::adaptive_avg_pool2d_fwd(device, x, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, dy.dtype());
    kernel::adaptive_avg_pool2d_bwd(device, device.dense(dy), dx);
    return {dx};
  }
};

struct AdaptiveMaxPool {
  std::int64_t oh, ow;
  Shape shape{};
  Tensor index{};  // kept for the backward pass

  OpDescription describe() const { return describe_cells("adaptive_max_pool2d", oh, ow); }
  Tensor forward(Device& device, const Tensor& x) {
    shape = x.shape();
    Tensor y = device.empty({shape[0], oh, ow, shape[3]}, x.dtype());
    index = device.empty(y.shape(), DType::i32);
    kernel::adaptive_max_pool2d_fwd(device, x, y, index);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(shape, dy.dtype());
    kernel::adaptive_max_pool2d_bwd(device, device.dense(dy), index, dx);
    return {dx};
  }
};

/// [n, 1, 1, c] seen as [n, c].
struct DropMap {
  Shape shape{};

  OpDescription describe() const { return {.name = "drop_map"}; }
  Tensor forward(Device&, const Tensor& x) {
    shape = x.shape();
    return x.reshape({shape[0], shape[3]});
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    return {device.dense(dy).reshape(shape)};
  }
};

std::int64_t extent(std::int64_t size, const Pool2dOptions& options, std::size_t axis) {
  const std::int64_t k = options.kernel[axis], stride = options.stride[axis],
                     pad = options.pad[axis];
  DML_CHECK(k > 0 && stride > 0 && options.dilation[axis] > 0 && pad >= 0,
            "pooling: window, stride and dilation must be at least 1, pad at least 0");
  DML_CHECK(2 * pad <= k, "pooling: pad " + std::to_string(pad) + " exceeds half the window of " +
                              std::to_string(k));
  const std::int64_t reach = options.dilation[axis] * (k - 1) + 1;
  const std::int64_t room = size + 2 * pad - reach + (options.ceil_mode ? stride - 1 : 0);
  std::int64_t windows = room < 0 ? 0 : room / stride + 1;
  // A last window that would start in the right padding is dropped.
  if (options.ceil_mode && (windows - 1) * stride >= size + pad) --windows;
  DML_CHECK(windows > 0, "pooling: a window of " + std::to_string(reach) +
                             " pixels does not fit a map of " + std::to_string(size) +
                             " with pad " + std::to_string(pad));
  return windows;
}

void check_map(const Var& x, std::int64_t oh, std::int64_t ow) {
  DML_CHECK(x.rank() == 4 && x.dim(1) > 0 && x.dim(2) > 0 && oh > 0 && ow > 0,
            "adaptive pooling: x [n, h, w, c] to " + std::to_string(oh) + " x " +
                std::to_string(ow) + " cells; found x " + to_string(x.shape()));
}

}  // namespace

Shape pool2d_shape(const Shape& x, const Pool2dOptions& options) {
  DML_CHECK(x.size() == 4, "pooling: x must be [n, h, w, c], not " + to_string(x));
  return {x[0], extent(x[1], options, 0), extent(x[2], options, 1), x[3]};
}

Var max_pool2d(const Var& x, const Pool2dOptions& options, const Tensor& into) {
  const bool keep = x.training() && x.needs_grad();
  return apply(MaxPool{.options = options, .into = into, .keep = keep}, x);
}
Var avg_pool2d(const Var& x, const Pool2dOptions& options, const Tensor& into) {
  DML_CHECK(options.dilation == (std::array<int, 2>{1, 1}),
            "avg_pool2d: there is no dilated average pooling");
  return apply(AvgPool{.options = options, .into = into}, x);
}
Var adaptive_avg_pool2d(const Var& x, std::int64_t oh, std::int64_t ow) {
  check_map(x, oh, ow);
  return apply(AdaptiveAvgPool{.oh = oh, .ow = ow}, x);
}
Var adaptive_max_pool2d(const Var& x, std::int64_t oh, std::int64_t ow) {
  check_map(x, oh, ow);
  return apply(AdaptiveMaxPool{.oh = oh, .ow = ow}, x);
}
Var global_avg_pool(const Var& x) { return apply(DropMap{}, adaptive_avg_pool2d(x, 1, 1)); }
Var global_max_pool(const Var& x) { return apply(DropMap{}, adaptive_max_pool2d(x, 1, 1)); }

}  // namespace dml
