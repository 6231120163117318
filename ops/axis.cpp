#include "ops/axis.hpp"

namespace dml {

int from_front(const Shape& shape, int axis) {
  return axis < 0 ? axis + static_cast<int>(shape.size()) : axis;
}

Axis axis_of(const Shape& shape, int axis, const char* op) {
  const int rank = static_cast<int>(shape.size());
  const int a = from_front(shape, axis);
  DML_CHECK(a >= 0 && a < rank, std::string(op) + ": axis " + std::to_string(axis) + " of " +
                                    to_string(shape) + "\n  axes are " + std::to_string(-rank) +
                                    " to " + std::to_string(rank - 1));
  Axis view;
  for (int i = 0; i < rank; ++i) {
    const std::int64_t size = shape[static_cast<std::size_t>(i)];
    if (i < a) view.outer *= size;
    if (i == a) view.length = size;
    if (i > a) view.inner *= size;
  }
  return view;
}

Shape without_axis(const Shape& shape, int axis, bool keep) {
  Shape result = shape;
  const auto at = result.begin() + from_front(shape, axis);
  if (keep) {
    *at = 1;
  } else {
    result.erase(at);
  }
  return result;
}

}  // namespace dml
