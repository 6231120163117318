#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "dml/loss.hpp"
#include "dml/miner.hpp"

namespace dml {
namespace {

/// The triplets of the labels whose negative sees anchor and positive under more than `degrees`,
/// straight from the definition.
Tuples by_definition(Device& device, const Tensor& x, const std::vector<std::int64_t>& labels,
                     double degrees) {
  const std::int64_t n = x.dim(0), d = x.dim(1);
  const double* v = x.raw<double>();
  std::vector<std::int64_t> a, p, k;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t l = 0; l < n; ++l) {
        const auto label = [&](std::int64_t of) { return labels[static_cast<std::size_t>(of)]; };
        if (i == j || label(i) != label(j) || label(i) == label(l)) continue;
        double side = 0, median = 0;
        for (std::int64_t c = 0; c < d; ++c) {
          const double left = v[i * d + c], right = v[j * d + c];
          side += std::pow(left - right + 1e-6, 2);
          median += std::pow(v[l * d + c] - (left + right) / 2 + 1e-6, 2);
        }
        const double angle = std::atan(std::sqrt(side) / (2 * std::sqrt(median)));
        if (angle * 180 / std::acos(-1.0) <= degrees) continue;
        a.push_back(i), p.push_back(j), k.push_back(l);
      }
  return triplets_from_lists(device, n, n, a, p, k);
}

}  // namespace

TEST_CASE("angular miner: losses on its rule equal losses on the list of its definition") {
  Device device(Backend::reference);
  const std::vector<std::int64_t> labels{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 3};
  Tensor x = Tensor::empty({13, 5}, DType::f64);
  init::normal(1)(x, Random(5, Purpose::weights));
  for (const auto& one :
       std::vector<std::pair<std::string, Settings>>{{"triplet_margin", {}},
                                                     {"triplet_margin", {{"swap", "true"}}},
                                                     {"triplet_margin", {{"smooth_loss", "true"}}},
                                                     {"margin", {}},
                                                     {"snr_triplet", {}},
                                                     {"contrastive", {}},
                                                     {"dynamic_soft_margin", {}},
                                                     {"proxy_anchor", {}}}) {
    const std::string& name = one.first;
    const Settings& settings = one.second;
    CAPTURE(name);
    for (const double degrees : {20.0, 40.0}) {
      const Tuples mined =
          (*Registry<Miner>::make("angular", {{"angle", std::to_string(degrees)}}, {}))(
              device, {.embedding = x, .labels = Labels(labels, 4)});
      const Tuples listed = by_definition(device, x, labels, degrees);
      CHECK(mined.form == Tuples::Form::product);
      CHECK(listed.anchor.size() > 5);
      std::array<Tensor, 2> gradients;
      std::array<double, 2> values{};
      for (const std::size_t k : {0, 1}) {
        ParameterStore store(device, DType::f64);
        const auto loss = Registry<Loss>::make(
            name, settings,
            {.scope = Scope(store) / "loss", .dim = 5, .features = 5, .classes = 4, .epochs = 1});
        const auto tape = Tape::train(device);
        const Var z = tape->variable(x);
        const Var y = (*loss)({.embedding = z,
                               .features = z,
                               .labels = Labels(labels, 4),
                               .tuples = k == 0 ? &mined : &listed});
        tape->backward(y);
        values[k] = y.value().item();
        gradients[k] = tape->gradient(z);
      }
      CHECK(values[0] == doctest::Approx(values[1]).epsilon(1e-12));
      for (std::int64_t i = 0; i < x.size(); ++i)
        CHECK(gradients[0].raw<double>()[i] ==
              doctest::Approx(gradients[1].raw<double>()[i]).epsilon(1e-11));
    }
  }
}

}  // namespace dml
