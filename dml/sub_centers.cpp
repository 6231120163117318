#include "dml/sub_centers.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/tape.hpp"
#include "ops/cosine.hpp"

namespace dml {

SubCenterOutliers sub_center_outliers(Device& device, const Tensor& x,
                                      std::span<const std::int64_t> labels, const Tensor& vectors,
                                      std::int64_t sub_centers, double threshold) {
  DML_CHECK(
      x.rank() == 2 && vectors.rank() == 2 && x.dim(1) == vectors.dim(1) &&
          x.dim(0) == static_cast<std::int64_t>(labels.size()) && sub_centers > 0 &&
          vectors.dim(0) % sub_centers == 0,
      fmt::format("sub-centers: {} rows with {} labels and vectors {}, {} of each class",
                  to_string(x.shape()), labels.size(), to_string(vectors.shape()), sub_centers));
  const std::int64_t classes = vectors.dim(0) / sub_centers, all = vectors.dim(0);
  const auto tape = Tape::infer(device);
  const Tensor cosines =
      cosine(tape->input(x), tape->input(vectors)).value().to_host().to(DType::f64);
  const auto of = [&](std::size_t i) {
    return cosines.raw<double>() + static_cast<std::int64_t>(i) * all + labels[i] * sub_centers;
  };
  std::vector<std::int64_t> votes(static_cast<std::size_t>(all), 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    DML_CHECK(labels[i] >= 0 && labels[i] < classes,
              fmt::format("sub-centers: label {} of {} classes", labels[i], classes));
    const auto nearest = std::max_element(of(i), of(i) + sub_centers) - of(i);
    ++votes[static_cast<std::size_t>(labels[i] * sub_centers + nearest)];
  }
  SubCenterOutliers result;
  for (std::int64_t c = 0; c < classes; ++c) {
    const auto first = votes.begin() + c * sub_centers;
    result.dominant.push_back(std::max_element(first, first + sub_centers) - first);
  }
  const double least = std::cos(threshold * 3.14159265358979323846 / 180);
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (of(i)[result.dominant[static_cast<std::size_t>(labels[i])]] < least)
      result.outliers.push_back(static_cast<std::int64_t>(i));
  return result;
}

}  // namespace dml
