#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// The class of every row of a batch, each in [0, classes) unless made without classes. Labels are
/// known on the host before a step begins; what is derived from them (masks, one-hot rows) has a
/// shape that depends on the size of the batch and the number of classes alone.
class Labels {
 public:
  /// @throws ShapeError when a label is outside [0, classes).
  Labels(std::vector<std::int64_t> of, std::int64_t classes);
  /// Labels of any value, for losses that only compare them; classes() is 0.
  explicit Labels(std::vector<std::int64_t> of);

  /// How many rows the batch has.
  std::int64_t size() const { return static_cast<std::int64_t>(of_.size()); }
  /// How many classes there are in the training set.
  std::int64_t classes() const { return classes_; }
  /// The class of row i.
  std::int64_t operator[](std::int64_t i) const { return of_[static_cast<std::size_t>(i)]; }
  /// The classes of all rows.
  std::span<const std::int64_t> of() const { return of_; }

  /// The classes that occur, ascending.
  const std::vector<std::int64_t>& present() const { return present_; }
  /// How many different classes occur.
  std::int64_t distinct() const { return static_cast<std::int64_t>(present_.size()); }

  /// [n] i64, on the host.
  Tensor tensor() const;
  /// [n, classes], 1 at the own class of the row, else 0.
  Tensor same(DType type) const { return class_mask(type, 1, 0); }
  /// [n, classes], 0 at the own class of the row, else 1.
  Tensor other(DType type) const { return class_mask(type, 0, 1); }
  /// [n, n], 1 where two different rows have one class, else 0 (the diagonal is 0).
  Tensor positive_pairs(DType type) const;
  /// [n, n], 1 where the classes of two rows differ, else 0.
  Tensor negative_pairs(DType type) const;

 private:
  Tensor class_mask(DType type, int own, int rest) const;

  std::vector<std::int64_t> of_;
  std::vector<std::int64_t> present_;
  std::int64_t classes_;
};

}  // namespace dml
