#include "dml/labels.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace dml {
namespace {

template <class Value>
Tensor fill(std::int64_t rows, std::int64_t columns, DType type, Value value) {
  Tensor result = Tensor::empty({rows, columns}, type);
  visit_float(type, [&]<class T>() {
    T* out = result.raw<T>();
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) *out++ = static_cast<T>(value(i, j));
  });
  return result;
}

}  // namespace

Labels::Labels(std::vector<std::int64_t> of) : of_(std::move(of)), present_(of_), classes_(0) {
  std::sort(present_.begin(), present_.end());
  present_.erase(std::unique(present_.begin(), present_.end()), present_.end());
}

Labels::Labels(std::vector<std::int64_t> of, std::int64_t classes) : Labels(std::move(of)) {
  classes_ = classes;
  for (const std::int64_t label : of_)
    DML_CHECK(label >= 0 && label < classes,
              fmt::format("label {} is outside [0, {}), the classes of the training set", label,
                          classes));
}

Tensor Labels::tensor() const { return Tensor::of<std::int64_t>({size()}, of_); }

Tensor Labels::class_mask(DType type, int own, int rest) const {
  return fill(size(), classes_, type,
              [&](std::int64_t i, std::int64_t c) { return (*this)[i] == c ? own : rest; });
}

Tensor Labels::positive_pairs(DType type) const {
  return fill(size(), size(), type, [&](std::int64_t i, std::int64_t j) {
    return i != j && (*this)[i] == (*this)[j] ? 1 : 0;
  });
}

Tensor Labels::negative_pairs(DType type) const {
  return fill(size(), size(), type,
              [&](std::int64_t i, std::int64_t j) { return (*this)[i] != (*this)[j] ? 1 : 0; });
}

}  // namespace dml
