#include "dml/training/vital_signs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace dml {
namespace {

constexpr std::int64_t most_rows = 256;  // a covariance of so many is known well enough
constexpr double near_nothing = 0.02;    // of 0..2
constexpr int in_a_row = 5;
constexpr double many_alone = 0.5;  // of the images of a batch
constexpr double same_loss = 1e-3;  // relative

/// The rows, divided by their lengths, in f64. A row of zeros stays.
std::vector<std::vector<double>> unit_rows_of(const Tensor& x) {
  std::vector<std::vector<double>> rows;
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < std::min(x.dim(0), most_rows); ++i) {
      const auto row = x.row<T>(i);
      std::vector<double> unit(row.begin(), row.end());
      double square = 0;
      for (const double v : unit) square += v * v;
      const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
      for (double& v : unit) v *= scale;
      rows.push_back(std::move(unit));
    }
  });
  return rows;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

double share_alone(std::span<const std::int64_t> labels) {
  std::map<std::int64_t, std::int64_t> images;
  for (const std::int64_t label : labels) ++images[label];
  const auto alone =
      std::count_if(images.begin(), images.end(), [](const auto& one) { return one.second == 1; });
  return labels.empty() ? 0 : static_cast<double>(alone) / static_cast<double>(labels.size());
}

/// A mean that may be of nothing.
struct Mean {
  double sum = 0;
  std::int64_t count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  std::optional<double> get() const {
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
  }
};

/// (trace C)^2 / trace C^2 of the covariance C. With the matrix G of inner products of the centred
/// rows these are the traces of G, so that no eigenvalue is needed.
double participation(std::vector<std::vector<double>> rows) {
  if (rows.empty()) return 0;
  std::vector<double> mean(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t k = 0; k < mean.size(); ++k)
      mean[k] += row[k] / static_cast<double>(rows.size());
  for (auto& row : rows)
    for (std::size_t k = 0; k < mean.size(); ++k) row[k] -= mean[k];
  double trace = 0, squares = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const double g = product(rows[i], rows[j]);
      if (i == j) trace += g;
      squares += (i == j ? 1 : 2) * g * g;
    }
  return trace > 1e-12 ? trace * trace / squares : 0;
}

}  // namespace

Figures VitalSigns::figures() const {
  Figures all;
  if (positive_distance) all.emplace_back("d+", *positive_distance);
  if (negative_distance) all.emplace_back("d-", *negative_distance);
  all.emplace_back("rank", rank);
  if (alone > 0) all.emplace_back("alone", alone);
  return all;
}

VitalSigns vital_signs(const Tensor& embeddings, std::span<const std::int64_t> labels) {
  DML_CHECK(embeddings.rank() == 2 && embeddings.dim(0) == std::ssize(labels),
            fmt::format("vital_signs: {} labels for embeddings {}", labels.size(),
                        to_string(embeddings.shape())));
  const auto rows = unit_rows_of(embeddings);
  Mean positive, negative;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const double apart = std::sqrt(std::max(0.0, 2 - 2 * product(rows[i], rows[j])));
      (labels[i] == labels[j] ? positive : negative).add(apart);
    }
  return {positive.get(), negative.get(), participation(rows), share_alone(labels)};
}

Figures active_shares(const std::map<std::string, Tensor>& items) {
  Figures shares;
  for (const auto& [name, values] : items) {
    if (values.size() == 0) continue;
    const Tensor host = values.to_host();
    std::int64_t active = 0;
    visit_float(host.dtype(), [&]<class T>() {
      for (const T v : host.dense().data<T>()) active += v != T(0) ? 1 : 0;
    });
    shares.emplace_back(items.size() == 1 ? "active" : "active_" + name,
                        static_cast<double>(active) / static_cast<double>(host.size()));
  }
  return shares;
}

std::optional<double> mean_proxy_norm(const ParameterStore& store) {
  Mean norms;
  for (const Parameter& parameter : store.all()) {
    if (!parameter.trainable || parameter.name.rfind("loss.", 0) != 0 ||
        parameter.value.rank() != 2)
      continue;
    const Tensor rows = parameter.value.to_host();
    visit_float(rows.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < rows.dim(0); ++i) {
        double square = 0;
        for (const T v : rows.row<T>(i)) square += static_cast<double>(v) * static_cast<double>(v);
        norms.add(std::sqrt(square));
      }
    });
  }
  return norms.get();
}

std::string Watch::told_once(bool& told, std::string text) {
  if (told) return "";
  told = true;
  return text;
}

std::string Watch::look(const VitalSigns& signs, double loss, std::int64_t step) {
  lonely_ = pairs_ && signs.alone >= many_alone ? lonely_ + 1 : 0;
  if (lonely_ >= in_a_row && !told_lonely_)
    return told_once(
        told_lonely_,
        fmt::format("step {}: {:.0f} % of the images of a batch are alone of their class, and this "
                    "loss finds no positive for them\n  usual remedies: --sampler m_per_class, a "
                    "larger --images-per-class, a loss with proxies",
                    step, 100 * signs.alone));
  if (!signs.negative_distance) return "";
  losses_.push_back(loss);
  if (losses_.size() > in_a_row) losses_.pop_front();
  collapsed_ = *signs.negative_distance < near_nothing ? collapsed_ + 1 : 0;
  const bool mixed =
      signs.positive_distance && *signs.positive_distance > 0.98 * *signs.negative_distance;
  mixed_ = mixed ? mixed_ + 1 : 0;
  const auto [low, high] = std::minmax_element(losses_.begin(), losses_.end());
  const bool stuck = losses_.size() == in_a_row && *high - *low <= same_loss * std::abs(*high);
  if (collapsed_ >= in_a_row)
    return told_once(
        told_collapse_,
        fmt::format(
            "step {}: the embeddings have collapsed: images of different classes are {:.2g} "
            "apart (0..2){}\n  usual remedies: a lower --lr, --warmup-epochs, semi-hard "
            "mining (--miner), a loss with proxies",
            step, *signs.negative_distance,
            stuck ? fmt::format(", and the loss stays at {:.4g}, as at its margin", loss) : ""));
  if (stuck && mixed_ >= in_a_row)
    return told_once(
        told_stuck_,
        fmt::format("step {}: the loss stays at {:.4g}, and images of one class are as far apart "
                    "({:.2g}) as those of different classes ({:.2g})\n  usual remedies: another "
                    "--lr, a loss or miner that finds active pairs (see `active`)",
                    step, loss, *signs.positive_distance, *signs.negative_distance));
  return "";
}

}  // namespace dml
