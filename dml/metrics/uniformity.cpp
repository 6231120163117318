#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "dml/metric.hpp"
#include "engine/device.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

/// Rows of a tile of similarities.
constexpr std::int64_t tile = 1024;

/// Sum over the pairs i < j of exp(-t ||u_i - u_j||^2), tile by tile.
double gaussian_pairs(Device& device, const Tensor& units, double t) {
  const std::int64_t n = units.dim(0);
  const Tensor rows = device.upload(units);
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += tile)
    for (std::int64_t j = i; j < n; j += tile) {
      const std::int64_t i_end = std::min(i + tile, n), j_end = std::min(j + tile, n);
      Tensor product = device.empty({i_end - i, j_end - j}, units.dtype());
      kernel::matmul(device, rows.rows(i, i_end), rows.rows(j, j_end), {.b = true}, 1, 0, product);
      const Tensor host = product.to_host();
      visit_float(host.dtype(), [&]<class T>() {
        for (std::int64_t a = i; a < i_end; ++a) {
          const T* line = host.raw<T>() + (a - i) * (j_end - j);
          for (std::int64_t b = std::max(j, a + 1); b < j_end; ++b)
            sum += std::exp(-2 * t * std::max(0.0, 1 - static_cast<double>(line[b - j])));
        }
      });
    }
  return sum;
}

/// log of the mean Gaussian potential of all pairs.
class Uniformity final : public GalleryMetric {
 public:
  struct Options {
    double t = 2;
    static constexpr std::tuple fields{
        field("t", &Options::t, "sharpness of the Gaussian potential", {1e-6, 50})};
  };
  Uniformity(Options options, const Setup&) : t_(options.t) {}
  std::string name() const override { return "uniformity"; }
  std::string protocol() const override {
    return "log of the mean of exp(-t d^2) over all pairs of rows of length 1; 0 at worst";
  }
  bool larger_is_better() const override { return false; }
  bool is_share() const override { return false; }
  double operator()(GalleryView& view) const override {
    const double n = static_cast<double>(view.unit_embeddings().dim(0));
    if (n < 2) return std::numeric_limits<double>::quiet_NaN();
    const double sum = gaussian_pairs(view.device(), view.unit_embeddings(), t_);
    return std::log(sum / (n * (n - 1) / 2));
  }

 private:
  double t_;
};

/// Mean power of the distance of positive pairs.
class Alignment final : public GalleryMetric {
 public:
  struct Options {
    double alpha = 2;
    static constexpr std::tuple fields{
        field("alpha", &Options::alpha, "power of the distance", {1e-3, 16})};
  };
  Alignment(Options options, const Setup&) : alpha_(options.alpha) {}
  std::string name() const override { return "alignment"; }
  std::string protocol() const override {
    return "mean of d^alpha over all pairs of one class, rows of length 1; NaN without such a pair";
  }
  bool larger_is_better() const override { return false; }
  bool is_share() const override { return false; }
  double operator()(GalleryView& view) const override {
    std::map<std::int64_t, std::vector<std::int64_t>> members;
    const auto classes = view.classes();
    for (std::size_t i = 0; i < classes.size(); ++i)
      members[classes[i]].push_back(static_cast<std::int64_t>(i));
    double sum = 0, pairs = 0;
    for (const auto& [label, rows] : members) {
      const double n = static_cast<double>(rows.size());
      pairs += n * (n - 1) / 2;
      sum += pairs_of(view.unit_embeddings(), rows);
    }
    return pairs > 0 ? sum / pairs : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double pairs_of(const Tensor& units, const std::vector<std::int64_t>& rows) const {
    double sum = 0;
    visit_float(units.dtype(), [&]<class T>() {
      const std::int64_t d = units.dim(1);
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::size_t j = i + 1; j < rows.size(); ++j) {
          const T *a = units.raw<T>() + rows[i] * d, *b = units.raw<T>() + rows[j] * d;
          double square = 0;
          for (std::int64_t c = 0; c < d; ++c) {
            const double apart = static_cast<double>(a[c]) - static_cast<double>(b[c]);
            square += apart * apart;
          }
          sum += std::pow(square, alpha_ / 2);
        }
    });
    return sum;
  }

  double alpha_;
};

constexpr const char* wang =
    "Wang and Isola, Understanding Contrastive Representation Learning through Alignment and "
    "Uniformity on the Hypersphere, ICML 2020";

const Register<Metric, Uniformity> uniformity{{
    .name = "uniformity",
    .summary = "how evenly the embeddings fill the sphere; lower is more even",
    .paper = wang,
    .details = "log mean exp(-t d^2) over all pairs",
}};
const Register<Metric, Alignment> alignment{{
    .name = "alignment",
    .summary = "mean squared distance of embeddings of one class on the sphere",
    .paper = wang,
    .details = "mean d^alpha over all pairs of one class",
}};

}  // namespace
}  // namespace dml
