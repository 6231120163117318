#pragma once
#include <array>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Window of a pooling: {rows, columns}.
struct Pool2dOptions {
  std::array<int, 2> kernel{2, 2};
  std::array<int, 2> stride{2, 2};
  std::array<int, 2> pad{0, 0};
  std::array<int, 2> dilation{1, 1};  ///< max pooling only
  bool ceil_mode = false;  ///< PyTorch's rule: the last window starts inside input or left pad
  bool count_include_pad = true;  ///< average pooling: padded zeros count in the divisor
};

/// Maximum over windows; padding acts as minus infinity; the gradient goes to the first maximum in
/// row-major order inside the window.   [n, h, w, c] -> [n, oh, ow, c]
/// @param into  where the result goes: undefined, or a tensor of the result's shape (channel
/// slice).
Var max_pool2d(const Var& x, const Pool2dOptions& options, const Tensor& into = {});

/// Average over windows, divided as PyTorch does: by the part of the window inside the padded
/// input (count_include_pad) or inside the input.   [n, h, w, c] -> [n, oh, ow, c]
Var avg_pool2d(const Var& x, const Pool2dOptions& options, const Tensor& into = {});

/// Mean, or maximum, over windows that divide the map into oh x ow cells; cell i covers
/// floor(i h / oh) .. ceil((i + 1) h / oh) - 1.   [n, h, w, c] -> [n, oh, ow, c]
Var adaptive_avg_pool2d(const Var& x, std::int64_t oh, std::int64_t ow);
Var adaptive_max_pool2d(const Var& x, std::int64_t oh, std::int64_t ow);

/// Mean, or maximum, over the whole map.   [n, h, w, c] -> [n, c]
Var global_avg_pool(const Var& x);
Var global_max_pool(const Var& x);

/// The shape of the result of max_pool2d and avg_pool2d.
/// @throws ShapeError when no window fits or pad exceeds half the window.
Shape pool2d_shape(const Shape& x, const Pool2dOptions& options);

namespace kernel {
/// index [n, oh, ow, c] i32: the place of the maximum, row * w + column of the input map; -1 for a
/// window (dilated, on a tiny map) that holds padding alone. NaN counts as the maximum.
/// x, y may have a pitch; index is packed, or undefined when no gradient is wanted.
inline constinit Kernel<void(const Tensor& x, const Pool2dOptions& options, Tensor& y,
                             Tensor& index)>
    max_pool2d_fwd{"max_pool2d"};
/// options: the window of the forward pass. dx is written whole; dy may have a pitch.
inline constinit Kernel<void(const Tensor& dy, const Tensor& index, const Pool2dOptions& options,
                             Tensor& dx)>
    max_pool2d_bwd{"max_pool2d backward"};
inline constinit Kernel<void(const Tensor& x, const Pool2dOptions& options, Tensor& y)>
    avg_pool2d_fwd{"avg_pool2d"};
inline constinit Kernel<void(const Tensor& dy, const Pool2dOptions& options, Tensor& dx)>
    avg_pool2d_bwd{"avg_pool2d backward"};
inline constinit Kernel<void(const Tensor& x, Tensor& y)> adaptive_avg_pool2d_fwd{
    "adaptive_avg_pool2d"};
inline constinit Kernel<void(const Tensor& dy, Tensor& dx)> adaptive_avg_pool2d_bwd{
    "adaptive_avg_pool2d backward"};
inline constinit Kernel<void(const Tensor& x, Tensor& y, Tensor& index)> adaptive_max_pool2d_fwd{
    "adaptive_max_pool2d"};
/// dx is cleared, then dy is added at index; windows may overlap.
inline constinit Kernel<void(const Tensor& dy, const Tensor& index, Tensor& dx)>
    adaptive_max_pool2d_bwd{"adaptive_max_pool2d backward"};
}  // namespace kernel

}  // namespace dml
