#pragma once
#include <string>
#include <vector>

#include "dml/optimizer.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {

/// All numbers in a text such as "[((0, 3), 0.02), ((3, 6), 0.002)]" or "{31: 0.005}", in order.
std::vector<double> numbers_in(const std::string& text);

/// Text that reads back to the same number, as settings want it.
std::string exact(double value);

/// A host vector as doubles, and a device tensor of the run's type from doubles.
std::vector<double> doubles(const Tensor& tensor);
Tensor from_doubles(const Run& run, const std::vector<double>& values);

/// The numbers as a matrix of that many columns.
Tensor matrix(const std::vector<double>& values, std::size_t columns);

/// A (p - c) of a dense matrix [n, n].
std::vector<double> quadratic_gradient(const std::vector<double>& matrix,
                                       const std::vector<double>& centre,
                                       const std::vector<double>& p);

}  // namespace dml::golden
