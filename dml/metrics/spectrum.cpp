#include "dml/metrics/spectrum.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "dml/metric.hpp"
#include "dml/retrieval/spectrum.hpp"

namespace dml {

std::vector<double> normalised_spectrum(std::span<const double> values, std::int64_t mode) {
  const auto dropped = std::min<std::size_t>(
      static_cast<std::size_t>(std::max<std::int64_t>(std::abs(mode) - 1, 0)), values.size());
  std::vector<double> rest(values.begin() + static_cast<std::ptrdiff_t>(dropped), values.end());
  const double sum = std::accumulate(rest.begin(), rest.end(), 0.0);
  for (double& value : rest) value /= sum;
  return rest;
}

double rho_spectrum(std::span<const double> values, std::int64_t mode) {
  const std::vector<double> spectrum = normalised_spectrum(values, mode);
  if (spectrum.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double uniform = 1 / static_cast<double>(spectrum.size());
  double sum = 0;
  for (const double value : spectrum) {
    if (mode > 0) sum += uniform * std::log(uniform / value);
    if (mode < 0 && value > 0) sum += value * std::log(value / uniform);
  }
  return sum;
}

namespace {

/// How far the singular values are from all being equal.
class RhoSpectrum final : public GalleryMetric {
 public:
  struct Options {
    std::int64_t mode = 1;
    static constexpr std::tuple fields{
        field("mode", &Options::mode,
              "m > 0: KL(uniform || spectrum), m < 0: KL(spectrum || uniform), of the spectrum "
              "without its |m| - 1 largest values",
              {-1e6, 1e6}),
    };
  };
  RhoSpectrum(Options options, const Setup&) : mode_(options.mode) {
    if (mode_ == 0)
      throw UsageError(
          "rho_spectrum@0 is the spectrum itself, no single number\n  take a mode above or below "
          "0");
  }
  std::string name() const override { return "rho_spectrum@" + std::to_string(mode_); }
  std::string protocol() const override {
    return "all singular values of the rows, not centred; divergence from the uniform spectrum, "
           "infinite for a positive mode when a value is 0";
  }
  bool larger_is_better() const override { return false; }
  bool is_share() const override { return false; }
  double operator()(GalleryView& view) const override {
    return rho_spectrum(view.singular_values(), mode_);
  }

 private:
  std::int64_t mode_;
};

/// The number of equal singular values that would have the same entropy.
class EffectiveRank final : public GalleryMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  EffectiveRank(Options, const Setup&) {}
  std::string name() const override { return "effective rank"; }
  std::string protocol() const override {
    return "exp of the entropy of the singular values of the rows, not centred, divided by their "
           "sum; between 1 and the size of the embedding";
  }
  bool is_share() const override { return false; }
  double operator()(GalleryView& view) const override {
    return std::exp(spectral_entropy(view.singular_values()));
  }
};

const Register<Metric, RhoSpectrum> rho{{
    .name = "rho_spectrum",
    .summary = "divergence of the singular values from a uniform spectrum",
    .paper = "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep "
             "Metric Learning, ICML 2020",
    .details = "rho_spectrum@2 on the training set is the figure of the paper; low values "
               "generalise better",
}};
const Register<Metric, EffectiveRank> effective_rank{{
    .name = "effective_rank",
    .summary = "how many directions the embeddings use; near 1 they have collapsed",
    .paper = "Roy and Vetterli, The Effective Rank, EUSIPCO 2007",
}};

}  // namespace
}  // namespace dml
