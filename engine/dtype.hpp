#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/check.hpp"

namespace dml {

/// Element types. Arithmetic happens in f32 and f64; bf16 is storage; i64 labels and indices;
/// u8 images; the others only travel through files.
enum class DType : std::uint8_t { f32, f64, bf16, f16, i64, i32, i16, i8, u8, boolean };

/// A bfloat16 number: the upper half of an f32. Conversions round to nearest even.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  DML_HOST_DEVICE explicit BFloat16(float value) {
    const auto word = __builtin_bit_cast(std::uint32_t, value);
    const bool nan = (word & 0x7FFFFFFFU) > 0x7F800000U;  // stays NaN, quiet
    const std::uint32_t rounded = word + 0x7FFFU + ((word >> 16U) & 1U);
    bits = static_cast<std::uint16_t>((nan ? word | 0x400000U : rounded) >> 16U);
  }
  DML_HOST_DEVICE explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16U);
  }
};

/// What elements that are stored as T are computed in: float for BFloat16, T otherwise.
template <class T> struct WorkOf { using type = T; };
template <> struct WorkOf<BFloat16> { using type = float; };
template <class T> using Work = typename WorkOf<T>::type;

/// Bytes of one element.
constexpr std::size_t item_size(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

/// The name used in messages: "f32".
constexpr const char* name_of(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::i16:
      return "i16";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

/// f32, f64, bf16 or f16.
constexpr bool is_float(DType type) { return type <= DType::f16; }

/// The element type that stores a T.
template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<std::uint8_t> { static constexpr DType value = DType::u8; };
template <class T> inline constexpr DType dtype_of = DTypeOf<T>::value;

/// The type in which tensors of `type` are computed, and in which what is summed over them is kept:
/// f32 for bf16, `type` otherwise.
constexpr DType work_type(DType type) { return type == DType::bf16 ? DType::f32 : type; }

/// Calls fn.operator()<T>() with the element type (float or double) of a tensor to compute with.
/// @throws TypeError for any other element type.
template <class Fn> decltype(auto) visit_float(DType type, Fn&& fn) {
  if (type == DType::f64) return fn.template operator()<double>();
  if (type != DType::f32)
    throw TypeError(std::string("a tensor of f32 or f64 is needed, found ") + name_of(type));
  return fn.template operator()<float>();
}

/// The same for kernels that also read and write bf16: T may be BFloat16, and Work<T> is then
/// float.
template <class Fn> decltype(auto) visit_stored(DType type, Fn&& fn) {
  if (type == DType::bf16) return fn.template operator()<BFloat16>();
  return visit_float(type, fn);
}

/// The same without f64, for cpu kernels: T is float or BFloat16.
template <class Fn> decltype(auto) visit_narrow(DType type, Fn&& fn) {
  if (type == DType::bf16) return fn.template operator()<BFloat16>();
  return fn.template operator()<float>();
}

}  // namespace dml
