#pragma once
#include <array>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Window of a convolution: {rows, columns}. Both sides are padded by `pad` zeros.
struct Conv2dOptions {
  std::array<int, 2> stride{1, 1};
  std::array<int, 2> pad{0, 0};
  std::array<int, 2> dilation{1, 1};
  int groups = 1;
};

/// The weights of a convolution in a layout of the backend's own, kept between calls.
struct ArrangedWeights {
  Tensor bytes{};             ///< undefined before the first call
  const void* for_whom = {};  ///< the backend's mark of the layout
};

/// What a convolution may do to its result before it is stored:
/// y = act(conv(x, w) + bias + residual). Used at inference, where batch norm is folded.
struct Conv2dEpilogue {
  Tensor bias{};      ///< [k] or undefined
  Tensor residual{};  ///< shape of y, packed, or undefined
  bool relu = false;
  /// Where the backend may keep the weights as it wants them. Whoever sets it promises that all
  /// calls with it get the same weights. Null: they are arranged anew in every call.
  ArrangedWeights* arranged = nullptr;
};

/// Two-dimensional convolution (cross-correlation, as everywhere in this field).
///
/// x may be bf16: weights in f32 are then rounded to bf16 for the products, which are summed in
/// f32; the result and the gradient of x are bf16, the gradients of weight and bias f32. (cuDNN
/// wants the bias rounded too, and gives the gradient of the weight rounded.)
///
/// @param x       [n, h, w, c]; a tensor with a row pitch is packed first.
/// @param weight  [k, r, s, c / groups]
/// @param bias    [k], or an undefined Var.
/// @return        [n, oh, ow, k] with oh = floor((h + 2 pad - dilation (r - 1) - 1) / stride) + 1
/// @throws        ShapeError when the channels differ or the window is larger than the padded map.
Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options = {});

/// The same without recording, with an epilogue. For inference.
Tensor conv2d_inference(Device& device, const Tensor& x, const Tensor& weight,
                        const Conv2dOptions& options, const Conv2dEpilogue& epilogue);

/// The shape of the result. @throws ShapeError as conv2d.
Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options);

namespace kernel {
/// All tensors packed. x, weight, y, their gradients dx and dy, and the residual are of one type;
/// bias, dweight and dbias of work_type of it.
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
                             const Conv2dEpilogue& epilogue, Tensor& y)>
    conv2d_fwd{"conv2d"};
inline constinit Kernel<void(const Tensor& dy, const Tensor& weight, const Conv2dOptions& options,
                             Tensor& dx)>
    conv2d_bwd_data{"conv2d backward data"};
/// dbias may be undefined.
inline constinit Kernel<void(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                             Tensor& dweight, Tensor& dbias)>
    conv2d_bwd_weight{"conv2d backward weight"};
}  // namespace kernel

}  // namespace dml
