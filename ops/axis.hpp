#pragma once
#include <cstdint>

#include "engine/check.hpp"
#include "engine/shape.hpp"

namespace dml {

/// A packed tensor seen as [outer, length, inner] around one of its axes. A line is the `length`
/// elements along the axis, `inner` apart from each other.
struct Axis {
  std::int64_t outer = 1, length = 1, inner = 1;

  /// How many lines there are.
  DML_HOST_DEVICE std::int64_t lines() const { return outer * inner; }
  /// The offset of the first element of a line.
  DML_HOST_DEVICE std::int64_t start(std::int64_t line) const {
    return line / inner * length * inner + line % inner;
  }
};

/// The view around one axis; a negative axis counts from the end.
/// @throws ShapeError that names op when the shape has no such axis.
Axis axis_of(const Shape& shape, int axis, const char* op);

/// The view of all elements as one line.
inline Axis whole(const Shape& shape) { return {1, count(shape), 1}; }

/// The shape without one axis, or with it as 1.
Shape without_axis(const Shape& shape, int axis, bool keep);

/// The axis counted from the front.
int from_front(const Shape& shape, int axis);

}  // namespace dml
