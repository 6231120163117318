#include <doctest/doctest.h>

#include <cmath>

#include "dml/loss.hpp"
#include "dml/sub_centers.hpp"

namespace dml {
namespace {

constexpr std::int64_t classes = 4, dim = 6;

const std::vector<std::pair<std::string, Settings>>& losses() {
  static const std::vector<std::pair<std::string, Settings>> all = {
      {"normalized_softmax", {}},
      {"normalized_softmax", {{"distance", "lp"}}},
      {"cosface", {}},
      {"arcface", {{"weight_regularizer", "regular_face"}}},
      {"sub_center_arcface", {}},
      {"dynamic_arcface", {}},
      {"large_margin_softmax", {}},
      {"sphereface", {{"annealing", "1000"}}},
      {"p2s_grad", {}},
      {"proxy_nca", {}},
      {"proxy_nca", {{"exclude_positive", "true"}}},
      {"proxy_nca_pp", {}},
      {"proxy_anchor", {}},
      {"proxy_anchor", {{"distance", "lp"}}},
      {"proxy_anchor", {{"norm_floor", "added"}}},
      {"soft_triple", {{"weight_regularizer", "sparse_centers"}}},
      {"revisiting_arcface", {}},
      {"revisiting_softtriplet", {}},
      {"revisiting_softtriplet", {{"published", "true"}}},
      {"proxy_gml", {}},
      {"hist", {}},
      {"rcdml", {}},
      {"manifold", {{"K", "3"}}},
      {"instance", {}},
      {"recall_at_k", {}},
      {"hyperbolic", {}},
  };
  return all;
}

Tensor normal(const Shape& shape, std::uint64_t seed, double scale, DType type) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(scale)(x, Random(seed, Purpose::weights));
  return x;
}

/// Batches that break careless formulas, with what they are.
std::vector<std::pair<std::string, Tensor>> hard_batches(std::int64_t n, DType type) {
  std::vector<std::pair<std::string, Tensor>> all{
      {"random", normal({n, dim}, 1, 1, type)},     {"zeros", Tensor({n, dim}, type)},
      {"huge", normal({n, dim}, 2, 1e4, type)},     {"tiny", normal({n, dim}, 3, 1e-6, type)},
      {"duplicates", normal({n, dim}, 4, 1, type)}, {"collinear", normal({n, dim}, 5, 1, type)},
  };
  visit_float(type, [&]<class T>() {
    T *same = all[4].second.raw<T>(), *line = all[5].second.raw<T>();
    for (std::int64_t i = 1; i < n; ++i)
      for (std::int64_t k = 0; k < dim; ++k) {
        same[i * dim + k] = same[k];
        line[i * dim + k] = line[k] * T(i % 2 == 0 ? i : -i);
      }
  });
  return all;
}

bool finite(const Tensor& x) {
  const Tensor all = x.to(DType::f64);
  for (const double value : all.data<double>())
    if (!std::isfinite(value)) return false;
  return true;
}

void check_finite(const std::string& name, const Settings& settings, DType type,
                  const std::vector<std::int64_t>& of) {
  Device device(type == DType::f64 ? Backend::reference : Backend::cpu, 2);
  const Labels labels(of, classes);
  for (const auto& batch : hard_batches(labels.size(), type)) {
    const auto& what = batch.first;  // clang 14 lets no lambda have a structured binding
    const auto& x = batch.second;
    ParameterStore store(device, type);
    const auto loss = Registry<Loss>::make(
        name, settings,
        {.scope = Scope(store) / "loss", .dim = dim, .features = dim, .classes = classes});
    if (what == "collinear" && !store.all().empty()) {  // along the first class vector too
      const Tensor first = store.all().front().value;
      if (first.rank() == 2 && first.dim(1) == dim)
        visit_float(type, [&]<class T>() {
          for (std::int64_t i = 0; i < x.dim(0); ++i)
            for (std::int64_t k = 0; k < dim; ++k)
              x.raw<T>()[i * dim + k] = first.raw<T>()[k] * T(i + 1);
        });
    }
    const auto tape = Tape::train(device);
    const Var z = tape->variable(x);
    const Var y = (*loss)({.embedding = z, .features = z, .labels = labels});
    tape->backward(y);
    INFO(name, " ", what, " of ", labels.size(), " in ", std::string(name_of(type)));
    CHECK(y.shape() == Shape{});
    CHECK(finite(y.value()));
    const Tensor gradient = tape->gradient(z);
    CHECK((!gradient.defined() || finite(gradient)));
    for (const Parameter& parameter : store.all())
      CHECK((!parameter.grad.defined() || finite(parameter.grad)));
  }
}

TEST_CASE("class losses: finite values and gradients for every finite batch") {
  for (const auto& [name, settings] : losses())
    for (const DType type : {DType::f64, DType::f32})
      for (const std::vector<std::int64_t>& of :
           std::vector<std::vector<std::int64_t>>{{0, 1, 1, 2, 0, 2}, {2}, {1, 1, 1}, {3, 1, 2, 0}})
        check_finite(name, settings, type, of);
}

TEST_CASE("class losses: a label that no class vector stands for is named") {
  Device device(Backend::cpu, 1);
  for (const char* name : {"cosface", "proxy_nca", "proxy_anchor", "p2s_grad", "rcdml"}) {
    ParameterStore store(device);
    const auto loss = Registry<Loss>::make(
        name, {}, {.scope = Scope(store), .dim = dim, .features = dim, .classes = classes});
    const auto tape = Tape::train(device);
    const Var z = tape->input(normal({2, dim}, 1, 1, DType::f32));
    const Labels labels({0, 7}, 9);
    CHECK_THROWS_WITH_AS((*loss)({.embedding = z, .features = z, .labels = labels}),
                         doctest::Contains("label 7 is outside [0, 4)"), ShapeError);
  }
}

TEST_CASE("class losses: class vectors learn at the published multiples of the rate") {
  Device device(Backend::cpu, 1);
  const auto scale = [&](const char* name, const char* parameter) {
    ParameterStore store(device);
    const auto loss = Registry<Loss>::make(
        name, {}, {.scope = Scope(store), .dim = dim, .features = dim, .classes = classes});
    return store.find(parameter)->lr_scale;
  };
  CHECK(scale("proxy_anchor", "proxies") == 100);
  CHECK(scale("rcdml", "proxies") == 1000);
  CHECK(scale("soft_triple", "fc") == 100);
  CHECK(scale("proxy_nca", "proxies") == 50);
  CHECK(scale("proxy_nca_pp", "proxies") == 1e5);
  CHECK(scale("arcface", "W") == 50);
}

/// A training set of the given labels.
class Labelled final : public EpochView {
 public:
  explicit Labelled(std::vector<std::int64_t> labels) : labels_(std::move(labels)) {}
  std::int64_t epoch() const override { return 0; }
  const Tensor& embeddings() override { throw UsageError("nobody asked for embeddings"); }
  std::span<const std::int64_t> labels() const override { return labels_; }

 private:
  std::vector<std::int64_t> labels_;
};

TEST_CASE("dynamic_arcface: of equally many images it is ArcFace, of few its margin is wide") {
  Device device(Backend::reference);
  const auto value = [&](const char* name, const Settings& settings,
                         std::vector<std::int64_t> training, std::int64_t label) {
    ParameterStore store(device, DType::f64);
    const auto loss = Registry<Loss>::make(
        name, settings, {.scope = Scope(store), .dim = dim, .features = dim, .classes = classes});
    Labelled view(std::move(training));
    loss->before_epoch(view);
    const auto tape = Tape::infer(device);
    const Var z = tape->input(normal({1, dim}, 8, 1, DType::f64));
    const Labels labels({label}, classes);
    return (*loss)({.embedding = z, .features = z, .labels = labels}).value().item();
  };
  const double margin = 0.5 * std::pow(16.0, -0.25) + 0.05;
  std::vector<std::int64_t> training(16, 1);
  training.push_back(2);
  const std::string degrees = schema::text_of(margin * 180 / 3.14159265358979323846);
  CHECK(value("dynamic_arcface", {}, training, 1) ==
        doctest::Approx(value("arcface", {{"margin", degrees}}, {}, 1)));
  CHECK(value("dynamic_arcface", {}, training, 2) > value("arcface", {{"margin", degrees}}, {}, 2));
}

TEST_CASE("sub-centers: outliers lie far from the vector that most of their class are near") {
  Device device(Backend::cpu, 1);
  // Class 0 has vectors along the first and second axis; three samples lie at the first.
  const Tensor w = Tensor::of<float>({4, 2}, {1, 0, 0, 1, -1, 0, 0, -1});
  const Tensor x = Tensor::of<float>({5, 2}, {3, 0.1F, 2, -0.1F, 1, 0, 0.1F, 5, -2, 0.3F});
  const auto found = sub_center_outliers(device, x, std::vector<std::int64_t>{0, 0, 0, 0, 1}, w, 2);
  CHECK(found.dominant == std::vector<std::int64_t>{0, 0});
  CHECK(found.outliers == std::vector<std::int64_t>{3});
}

}  // namespace
}  // namespace dml
