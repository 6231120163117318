#include "dml/samplers/intra_batch.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "dml/intra_batch/network.hpp"
#include "dml/intra_batch/refine.hpp"
#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "dml/sampler.hpp"
#include "engine/safetensors.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::intra_batch {
namespace {

constexpr std::int64_t classes = 4, dim = 8, images = 12;

Tensor normal(const Shape& shape, std::uint64_t seed, DType type) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

Labels some_labels() {
  std::vector<std::int64_t> of;
  for (std::int64_t i = 0; i < images; ++i) of.push_back(i % classes);
  return {of, classes};
}

/// A loss with parameters, and a value that it is computed on.
struct Setting {
  Device device{Backend::reference};
  ParameterStore store;
  Parameter& x;
  std::unique_ptr<Loss> loss;
  Labels labels = some_labels();

  explicit Setting(Settings settings, DType type = DType::f64, DType products = DType::f32)
      : store(device, type),
        x(store.add("x", {images, dim}, init::normal(1))),
        loss(Registry<Loss>::make("intra_batch", settings,
                                  {.scope = Scope(store) / "loss",
                                   .dim = dim,
                                   .features = dim,
                                   .classes = classes,
                                   .products = products})) {}

  Var run(std::uint64_t step = 0) {
    const auto tape = Tape::train(device, {3, Purpose::dropout, step});
    const Var z = tape->leaf(x);
    std::vector<std::int64_t> samples(static_cast<std::size_t>(images));
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
    return (*loss)({.embedding = z, .features = z, .labels = labels, .samples = samples});
  }
};

/// A few elements of every parameter are moved in both directions.
void check_gradients(const Settings& settings) {
  Setting setting(settings);
  const Var loss = setting.run();
  loss.tape().backward(loss);
  for (Parameter& one : setting.store.all()) {
    if (!one.trainable || one.is_buffer) continue;
    CAPTURE(one.name);
    const Tensor gradient = one.grad.defined() ? one.grad : Tensor(one.value.shape(), DType::f64);
    const std::int64_t step = std::max<std::int64_t>(1, one.value.size() / 5);
    for (std::int64_t i = 0; i < one.value.size(); i += step) {
      double& at = one.value.raw<double>()[i];
      const double middle = at, h = 1e-5;
      at = middle + h;
      const double above = setting.run().value().item();
      at = middle - h;
      const double below = setting.run().value().item();
      at = middle;
      CHECK(std::abs((above - below) / (2 * h) - gradient.raw<double>()[i]) <
            1e-6 * (1 + std::abs(gradient.raw<double>()[i])));
    }
  }
}

TEST_CASE("intra_batch: gradients agree with central differences, dropout and all switches") {
  check_gradients({});
  check_gradients({{"num_layers", "2"}, {"cat", "true"}, {"num_heads", "4"}});
  check_gradients({{"num_layers", "2"}, {"every", "true"}, {"aggregator", "mean"}});
  check_gradients({{"mult_attr", "true"}, {"set_negative", "soft"}, {"thresh", "0.2"}});
  check_gradients({{"mult_attr", "true"}, {"sim_type", "cosine"}, {"aggregator", "max"}});
  check_gradients({{"neck", "false"}, {"red", "2"}, {"mlp", "false"}, {"res1", "false"}});
  check_gradients({{"norm1", "false"}, {"norm2", "false"}, {"output", "norm"}});
  check_gradients({{"terms", "ce_gnn_triplet"}, {"margin", "5"}});
}

TEST_CASE("intra_batch: sparse graphs leave nodes alone without a wrong number") {
  // Above 0.999 there is no edge when the diagonal is 0, and only the node itself when it is 1.
  for (const std::string aggregator : {"add", "mean", "max"})
    for (const std::string negative : {"hard", "soft"}) {
      Setting setting(
          {{"thresh", "0.999"}, {"aggregator", aggregator}, {"set_negative", negative}});
      const Var loss = setting.run();
      CHECK(std::isfinite(loss.value().item()));
      loss.tape().backward(loss);
      for (const double one : setting.x.grad.data<double>()) CHECK(std::isfinite(one));
    }
}

TEST_CASE("intra_batch: centres get the plain gradient, features the weighted one") {
  const auto gradients = [](const std::string& weight) {
    Setting setting({{"terms", "lsgnn_center"}, {"scaling_gnn", "0"}, {"scaling_center", weight}});
    const Var loss = setting.run();
    loss.tape().backward(loss);
    Parameter& centres = *setting.store.find("loss.centers");
    CHECK(centres.group == "centers");
    return std::pair{centres.grad.clone(), setting.x.grad.clone()};
  };
  const auto one = gradients("1"), half = gradients("0.5");
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(one.first.data<double>()[i] == doctest::Approx(half.first.data<double>()[i]));
    CHECK(one.second.data<double>()[i] == doctest::Approx(2 * half.second.data<double>()[i]));
  }
}

TEST_CASE("intra_batch: a teacher's numbers belong to the images of the batch") {
  testing::TemporaryFolder folder;
  const auto file = (folder.path() / "teacher.safetensors").string();
  SafeTensors contents;
  contents.tensors.emplace_back("logits", normal({images, classes}, 5, DType::f64));
  contents.tensors.emplace_back("features", normal({images, dim}, 6, DType::f64));
  write_safetensors(file, contents);
  for (const std::string term : {"distillSh", "distillKL", "ofpre", "distance"})
    check_gradients({{"terms", term}, {"teacher", file}, {"scaling_distance", "1"}});
  CHECK_THROWS_WITH_AS(Setting(Settings{{"terms", "ofpre"}}), doctest::Contains("set teacher"),
                       UsageError);
}

TEST_CASE("intra_batch: in a run of bf16 the message passing multiplies in bf16") {
  const Settings no_dropout{{"dropout_attention", "0"},
                            {"dropout_1", "0"},
                            {"dropout_2", "0"},
                            {"dropout_mlp", "0"},
                            {"num_layers", "2"}};
  struct Step {
    float value;
    Tensor gradient;
  };
  const auto step = [&](DType products) {
    Setting setting(no_dropout, DType::f32, products);
    const Var value = setting.run();
    value.tape().backward(value);
    return Step{value.value().raw<float>()[0], setting.x.grad.to_host()};
  };
  const Step exact = step(DType::f32), half = step(DType::bf16);
  CHECK(half.value != exact.value);
  CHECK(half.value == doctest::Approx(exact.value).epsilon(5e-3));
  double product = 0, squares = 0, others = 0;
  for (std::int64_t i = 0; i < images * dim; ++i) {
    const double a = exact.gradient.raw<float>()[i], b = half.gradient.raw<float>()[i];
    product += a * b;
    squares += a * a;
    others += b * b;
  }
  CHECK(others != squares);
  CHECK(product / std::sqrt(squares * others) > 0.999);
  // What retrieval compares is exact: the refined features of an inference tape.
  Device device(Backend::cpu, 1);
  const auto refined = [&](DType products) {
    ParameterStore store(device);
    const Network network({.layer = {.products = products}}, Scope(store), dim, classes);
    const auto tape = Tape::infer(device);
    return network(tape->input(normal({30, dim}, 2, DType::f32)), 1, {}).features[0].value();
  };
  const Tensor plain = refined(DType::f32), narrow = refined(DType::bf16);
  for (std::int64_t i = 0; i < plain.size(); ++i)
    CHECK(plain.raw<float>()[i] == narrow.raw<float>()[i]);
}

TEST_CASE("intra_batch: twenty steps are the same bits in every run") {
  const auto train = [] {
    Setting setting({}, DType::f32);
    const auto optimizer = Registry<Optimizer>::make("radam", {}, {setting.store});
    std::vector<double> losses;
    for (std::uint64_t step = 0; step < 20; ++step) {
      setting.store.clear_gradients();
      const Var loss = setting.run(step);
      loss.tape().backward(loss);
      optimizer->step(setting.device, 1);
      losses.push_back(loss.value().item());
    }
    return losses;
  };
  const std::vector<double> losses = train();
  CHECK(losses == train());
  CHECK(losses.back() < losses.front());
}

TEST_CASE("intra_batch: what cannot be is refused in words") {
  CHECK_THROWS_WITH_AS(Setting(Settings{{"terms", "lsce_of"}}),
                       doctest::Contains("there is no term 'of'"), UsageError);
  CHECK_THROWS_WITH_AS(Setting(Settings{{"num_heads", "3"}}),
                       doctest::Contains("shared by 3 heads"), UsageError);
  CHECK_THROWS_WITH_AS(Setting(Settings{{"cat", "true"}, {"every", "true"}}),
                       doctest::Contains("one of the two"), UsageError);
  CHECK_THROWS_WITH_AS(Setting(Settings{{"thresh", "some"}}), doctest::Contains("thresh"),
                       UsageError);
  Setting one_class(Settings{{"terms", "triplet"}});
  one_class.labels = Labels(std::vector<std::int64_t>(images, 1), classes);
  CHECK_THROWS_WITH_AS(one_class.run(), doctest::Contains("one class"), ShapeError);
}

TEST_CASE("intra_batch: groups of nodes do not see each other") {
  Device device(Backend::reference);
  ParameterStore store(device, DType::f64);
  const Network network(
      {.layers = 2, .layer = {.heads = 2, .mult_attr = true}, .graph = {.thresh = "0.1"}},
      Scope(store), dim, classes);
  const auto tape = Tape::infer(device);
  const Tensor x = normal({12, dim}, 9, DType::f64);
  const Tensor together = network(tape->input(x), 3, {}).features.back().value();
  for (std::int64_t g = 0; g < 3; ++g) {
    const Tensor alone =
        network(tape->input(x.rows(4 * g, 4 * g + 4).clone()), 1, {}).features.back().value();
    for (std::int64_t i = 0; i < 4 * dim; ++i)
      CHECK(together.raw<double>()[g * 4 * dim + i] == doctest::Approx(alone.raw<double>()[i]));
  }
}

TEST_CASE("intra_batch: the pseudo-batch test refines among reciprocal neighbours") {
  Device device(Backend::cpu, 2);
  ParameterStore store(device);
  const Network network({.layer = {.heads = 2}}, Scope(store), dim, classes);
  const Tensor x = normal({30, dim}, 2, DType::f32);
  const ReciprocalOptions options{.size = 5, .k1 = 6};
  const Tensor refined = refine(device, network, x, {}, {}, options);
  CHECK(refined.shape() == x.shape());
  // Row 7 by hand: its batch, alone through the network.
  const auto batch = k_reciprocal_batches(device, x, options)[7];
  CHECK(batch.front() == 7);
  CHECK(std::set<std::int64_t>(batch.begin(), batch.end()).size() == 5);
  Tensor rows = Tensor::empty({5, dim}, DType::f32);
  for (std::int64_t i = 0; i < 5; ++i)
    std::copy_n(x.row<float>(batch[static_cast<std::size_t>(i)]).begin(), dim,
                rows.row<float>(i).begin());
  const auto tape = Tape::infer(device);
  const Tensor alone = network(tape->input(rows), 1, {}, false).features.back().value();
  for (std::int64_t k = 0; k < dim; ++k)
    CHECK(refined.row<float>(7)[static_cast<std::size_t>(k)] ==
          doctest::Approx(alone.raw<float>()[k]).epsilon(1e-5));
  // Queries and gallery apart: gallery rows stay, a batch is of one query and gallery rows.
  std::vector<std::int64_t> queries, gallery;
  for (std::int64_t i = 0; i < 30; ++i) (i < 10 ? queries : gallery).push_back(i);
  const Tensor apart = refine(device, network, x, queries, gallery, {.size = 4, .k1 = 6});
  for (std::int64_t k = 0; k < dim; ++k) {
    CHECK(apart.row<float>(20)[static_cast<std::size_t>(k)] ==
          x.row<float>(20)[static_cast<std::size_t>(k)]);
    CHECK(apart.row<float>(3)[static_cast<std::size_t>(k)] !=
          x.row<float>(3)[static_cast<std::size_t>(k)]);
  }
}

TEST_CASE("intra_batch sampler: every image, whole chunks, the number of classes may vary") {
  std::vector<std::int64_t> labels;
  for (std::int64_t c = 0; c < 9; ++c)
    labels.insert(labels.end(), static_cast<std::size_t>(3 + c), c);
  for (const std::string vary : {"false", "true"}) {
    const auto sampler =
        Registry<Sampler>::make("intra_batch", {{"classes", "4"}, {"images", "6"}, {"vary", vary}},
                                {.labels = labels, .seed = 4});
    std::set<std::size_t> sizes;
    for (std::int64_t epoch = 0; epoch < 8; ++epoch) {
      const auto plan = sampler->plan(epoch);
      CHECK(plan == sampler->plan(epoch));
      sizes.insert(plan.size());
      std::set<std::int64_t> seen;
      for (const auto& batch : plan) {
        CHECK(batch.size() == 24);
        std::map<std::int64_t, std::int64_t> counts;
        for (const std::int64_t i : batch) {
          seen.insert(i);
          ++counts[labels[static_cast<std::size_t>(i)]];
        }
        for (const auto& [label, count] : counts)
          CHECK(count >= sampler->guarantee().images_per_class);
      }
      CHECK(seen.size() == labels.size());
    }
    CHECK((sizes.size() > 1) == (vary == "true"));
  }
  CHECK(class_counts(54) == std::vector<std::int64_t>{2, 3, 6, 9, 18, 27});
}

}  // namespace
}  // namespace dml::intra_batch
