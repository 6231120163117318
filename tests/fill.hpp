#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/device.hpp"
#include "engine/parameter.hpp"

/// The deterministic fill of the golden vectors: every tensor is a function of its name and shape.
namespace dml::testing {

/// FNV-1a over the bytes of a name.
inline std::uint64_t fill_seed(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return h;
}

/// The i-th word of a stream (splitmix64).
inline std::uint64_t fill_word(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

/// In [-1, 1), exact.
inline double fill_value(std::uint64_t seed, std::uint64_t i) {
  return static_cast<double>(fill_word(seed, i) >> 11U) * 0x1p-52 - 1;
}

/// A stream of values times a factor, rounded to f32, as f32 on the host.
inline Tensor fill_stream(const std::string& name, const Shape& shape, double factor) {
  Tensor tensor = Tensor::empty(shape, DType::f32);
  const std::uint64_t seed = fill_seed(name);
  std::uint64_t i = 0;
  for (float& value : tensor.data<float>())
    value = static_cast<float>(factor * fill_value(seed, i++));
  return tensor;
}

/// The tensor of that name and shape (of files). The class is decided by the name without salt.
inline Tensor fill_tensor(const std::string& name, const Shape& shape,
                          const std::string& salt = {}) {
  const auto ends = [&](std::string_view tail) { return name.ends_with(tail); };
  if (ends("num_batches_tracked")) return Tensor(shape, DType::i64);
  if (ends("running_mean") || ends("bias")) return fill_stream(salt + name, shape, 1.0 / 8);
  if (ends("running_var") || shape.size() <= 1) {
    const double shrink = ends("bn3.weight") ? 1.0 / 4 : 1;
    Tensor tensor = Tensor::empty(shape, DType::f32);
    const std::uint64_t seed = fill_seed(salt + name);
    std::uint64_t i = 0;
    for (float& value : tensor.data<float>())
      value = static_cast<float>((1 + fill_value(seed, i++) / 4) * shrink);
    return tensor;
  }
  const auto fan_in = static_cast<double>(count(shape) / shape[0]);
  return fill_stream(salt + name, shape, std::sqrt(6 / fan_in));
}

/// Fills everything that a store holds.
inline void fill_store(ParameterStore& store, const std::string& salt = {}) {
  for (Parameter& one : store.all())
    one.from_file(fill_tensor(one.name, one.file_shape(), salt), store.device());
}

/// [n, c, h, w] of files to [n, h, w, c] of memory.
inline Tensor to_channels_last(const Tensor& from) {
  const std::int64_t n = from.dim(0), c = from.dim(1), hw = from.dim(2) * from.dim(3);
  Tensor to = Tensor::empty({n, from.dim(2), from.dim(3), c}, from.dtype());
  visit_float(from.dtype(), [&]<class T>() {
    const T* in = from.raw<T>();
    T* out = to.raw<T>();
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < c; ++k)
        for (std::int64_t p = 0; p < hw; ++p) out[(i * hw + p) * c + k] = in[(i * c + k) * hw + p];
  });
  return to;
}

/// [n, h, w, c] of memory to [n, c, h, w] of files.
inline Tensor to_channels_first(const Tensor& from) {
  const std::int64_t n = from.dim(0), hw = from.dim(1) * from.dim(2), c = from.dim(3);
  Tensor to = Tensor::empty({n, c, from.dim(1), from.dim(2)}, from.dtype());
  visit_float(from.dtype(), [&]<class T>() {
    const T* in = from.raw<T>();
    T* out = to.raw<T>();
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < c; ++k)
        for (std::int64_t p = 0; p < hw; ++p) out[(i * c + k) * hw + p] = in[(i * hw + p) * c + k];
  });
  return to;
}

}  // namespace dml::testing
