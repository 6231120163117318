#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/tensor.hpp"

/// oneDNN behind plain functions, so that only one file depends on its version (2.x builds
/// primitives from operation descriptors, 3.x without them). Tensors are f32, or bf16 where a
/// convolution says so. Primitives are built once per shape, epilogue and thread count and kept for
/// the life of the process.
namespace dml::cpu::onednn {

/// A convolution of packed channels-last maps without groups: x [n, h, w, c], y [n, oh, ow, k],
/// window r x s. `pad` is the padding above and to the left; the other sides follow from the sizes.
struct Convolution {
  std::int64_t n, h, w, c, k, r, s, oh, ow;
  std::array<std::int64_t, 2> stride, pad, dilation;
  bool bf16 = false;  ///< maps and weights are bf16; bias and the gradient of the weights are f32
};

/// How the weights lie in memory.
enum class WeightOrder : std::uint8_t {
  krsc,  ///< [k, r, s, c]
  crsk,  ///< [c, r, s, k]: a convolution of the gradient reads the weights so
};

/// What follows the convolution in the same pass.
struct Epilogue {
  const float* bias = nullptr;  ///< [k]
  const void* add = nullptr;    ///< as y: added to the convolution
  bool relu = false;
};

/// Weights in a primitive's own layout, kept between calls that are promised to have the same ones.
struct Kept {
  std::shared_ptr<Storage> storage{};
  const void* primitive = nullptr;
};

/// y = act(conv(x, weight) + bias + add). Returns false, having done nothing, when oneDNN has only
/// its reference implementation for this shape, which is hundreds of times too slow.
/// @param kept  null, or where the arranged weights are looked for and left.
bool forward(const Convolution& conv, const void* x, const void* weight, WeightOrder order,
             const Epilogue& epilogue, void* y, Kept* kept = nullptr);
/// dx from dy and weight [k, r, s, c]. Returns false as forward().
bool backward_data(const Convolution& conv, const void* dy, const void* weight, void* dx);
/// dweight [k, r, s, c] from x and dy. Returns false as forward().
bool backward_weight(const Convolution& conv, const void* x, const void* dy, float* dweight);

/// The names of oneDNN's implementations ("brgconv:avx512_core") of forward, backward data and
/// backward weight for this shape; empty where there is none but the reference.
std::array<std::string, 3> implementations(const Convolution& conv);

/// Whether this processor multiplies in bf16 (AVX512-BF16), so that bf16 is faster than f32.
/// Without, oneDNN gives the same results by emulation.
bool computes_bf16();

/// A row-major matrix; `pitch` elements lie between its rows.
struct Matrix {
  const float* data;
  std::int64_t pitch;
  bool transposed;
};

/// y [m, n] = alpha op(a) op(b) + beta y, with op(a) [m, k] and op(b) [k, n]. With beta 0, y is not
/// read.
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b,
              float beta, float* y, std::int64_t pitch);

/// Row-major matrices of bf16 (y: or of f32), `step` elements from one to the next.
struct Matrices {
  const void* data;
  std::int64_t pitch, step;
  bool transposed = false;
  bool bf16 = true;
};

/// The same for `count` products of bf16, which are added up in f32. Returns false, having done
/// nothing, when oneDNN has none but its reference implementation, as on processors without
/// AVX-512.
bool multiply(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              const Matrices& a, const Matrices& b, float beta, const Matrices& y);

}  // namespace dml::cpu::onednn
