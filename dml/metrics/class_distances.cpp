#include "dml/metrics/class_distances.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "dml/metric.hpp"
#include "dml/revisiting/paper.hpp"

namespace dml {
namespace {

constexpr double shortest = 1e-12;

double squared(std::span<const double> v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return sum;
}

/// What is summed over the rows of a class.
struct Sums {
  std::vector<double> rows, units;
  double unit_squares = 0;  // of rows with a length: their number
  std::int64_t count = 0;
};

std::map<std::int64_t, Sums> sums_of(const Tensor& x, std::span<const std::int64_t> classes) {
  std::map<std::int64_t, Sums> all;
  const std::int64_t d = x.dim(1);
  const auto width = static_cast<std::size_t>(d);
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < x.dim(0); ++i) {
      Sums& sums = all[classes[static_cast<std::size_t>(i)]];
      if (sums.count++ == 0) sums.rows = sums.units = std::vector<double>(width, 0);
      const T* row = x.raw<T>() + i * d;
      double square = 0;
      for (std::size_t c = 0; c < width; ++c)
        square += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      const double length = std::max(std::sqrt(square), shortest);
      sums.unit_squares += square / (length * length);
      for (std::size_t c = 0; c < width; ++c) {
        sums.rows[c] += static_cast<double>(row[c]);
        sums.units[c] += static_cast<double>(row[c]) / length;
      }
    }
  });
  return all;
}

/// The mean of 1 - <u_i, u_j> over ordered pairs i != j, from the sum of n vectors and of their
/// squares.
double mean_apart(std::span<const double> sum, double squares, double n) {
  return 1 - (squared(sum) - squares) / (n * (n - 1));
}

}  // namespace

double ClassDistances::ratio() const { return intra / std::max(inter, 1e-8); }

ClassDistances class_distances(const Tensor& x, std::span<const std::int64_t> classes) {
  const std::map<std::int64_t, Sums> all = sums_of(x, classes);
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  ClassDistances result;
  std::vector<double> centres(static_cast<std::size_t>(x.dim(1)), 0);
  double largest = -1, squares = 0;
  for (const auto& [label, sums] : all) {
    const double n = static_cast<double>(sums.count);
    const double apart =
        sums.count == 1 ? -1 : std::max(0.0, mean_apart(sums.units, sums.unit_squares, n));
    result.per_class.push_back(apart);
    largest = std::max(largest, apart);
    const double length = std::max(std::sqrt(squared(sums.rows)) / n, shortest);
    squares += squared(sums.rows) / (n * n * length * length);
    for (std::size_t c = 0; c < centres.size(); ++c) centres[c] += sums.rows[c] / n / length;
  }
  const double count = static_cast<double>(all.size());
  for (const double apart : result.per_class) result.intra += (apart < 0 ? largest : apart) / count;
  if (largest < 0) result.intra = nothing;
  result.inter = all.size() < 2 ? nothing : mean_apart(centres, squares, count);
  return result;
}

namespace {

enum class Which : std::uint8_t { intra, inter, ratio };

template <Which which> class ClassDistance final : public GalleryMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  ClassDistance(Options, const Setup&) {}
  std::string name() const override {
    return which == Which::intra   ? "dists@intra"
           : which == Which::inter ? "dists@inter"
                                   : "dists@intra_over_inter";
  }
  std::string protocol() const override {
    return which == Which::intra ? "1 - cosine, mean over ordered pairs of a class, then over "
                                   "classes; a class of one item gets the largest value"
           : which == Which::inter
               ? "1 - cosine of the class means of the rows as they are, mean over ordered pairs"
               : "dists@intra / max(dists@inter, 1e-8)";
  }
  bool larger_is_better() const override { return which == Which::inter; }
  bool is_share() const override { return false; }
  double operator()(GalleryView& view) const override {
    const ClassDistances found = class_distances(view.embeddings(), view.classes());
    return which == Which::intra   ? found.intra
           : which == Which::inter ? found.inter
                                   : found.ratio();
  }
};

const Register<Metric, ClassDistance<Which::intra>> intra{{
    .name = "intra_distance",
    .summary = "mean 1 - cosine within a class",
    .paper = revisiting::paper,
    .aliases = {"dists@intra"},
}};
const Register<Metric, ClassDistance<Which::inter>> inter{{
    .name = "inter_distance",
    .summary = "mean 1 - cosine between the means of classes",
    .paper = revisiting::paper,
    .aliases = {"dists@inter"},
}};
const Register<Metric, ClassDistance<Which::ratio>> ratio{{
    .name = "intra_over_inter",
    .summary = "embedding density: intra_distance / inter_distance",
    .paper = revisiting::paper,
    .aliases = {"dists@intra_over_inter"},
}};

}  // namespace
}  // namespace dml
