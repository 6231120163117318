#include "dml/training/vital_signs.hpp"

#include <doctest/doctest.h>

#include <span>

#include "dml/training/numbers.hpp"
#include "engine/device.hpp"

using namespace dml;

TEST_CASE("vital signs: distances and rank of a batch that can be counted by hand") {
  // Two classes on two axes, one row three times as long: lengths do not count.
  const Tensor x = Tensor::of<float>({4, 3}, {1, 0, 0, 3, 0, 0, 0, 2, 0, 0, 1, 0});
  const std::int64_t labels[] = {0, 0, 1, 1};
  const VitalSigns signs = vital_signs(x, labels);
  CHECK(signs.positive_distance.value() == doctest::Approx(0));
  CHECK(signs.negative_distance.value() == doctest::Approx(std::sqrt(2.0)));
  CHECK(signs.rank == doctest::Approx(1));  // two points: one direction
}

TEST_CASE("vital signs: independent directions all count, a collapsed batch has none") {
  constexpr std::int64_t n = 8;
  Tensor basis = Tensor::of<double>({n, n}, std::vector<double>(n * n));
  for (std::int64_t i = 0; i < n; ++i)
    basis.data<double>()[static_cast<std::size_t>(i * (n + 1))] = 1;
  const std::vector<std::int64_t> different = {0, 1, 2, 3, 4, 5, 6, 7};
  const VitalSigns free = vital_signs(basis, different);
  CHECK(free.rank == doctest::Approx(n - 1));  // less the mean
  CHECK_FALSE(free.positive_distance.has_value());

  const Tensor same = Tensor::of<double>({n, 1}, std::vector<double>(n, 0.5));
  const VitalSigns collapsed = vital_signs(same, different);
  CHECK(collapsed.rank == 0);
  CHECK(collapsed.negative_distance.value() == doctest::Approx(0));
}

TEST_CASE("vital signs: the share of anchors with a value, by sub-loss") {
  const Tensor half = Tensor::of<float>({4}, {0, 1, 0, 2}), none = Tensor::of<float>({2}, {0, 0});
  CHECK(active_shares({{"loss", half}}) == Figures{{"active", 0.5}});
  CHECK(active_shares({{"neg_loss", none}, {"pos_loss", half}}) ==
        Figures{{"active_neg_loss", 0}, {"active_pos_loss", 0.5}});
}

TEST_CASE("vital signs: the mean length of proxies is that of the loss's matrices alone") {
  Device device = Device::open("reference", 1);
  ParameterStore store(device);
  store.add("loss.proxies", {2, 2}, init::constant(3));
  store.add("loss.beta", {2}, init::constant(100));
  store.add("net.weight", {2, 2}, init::constant(100));
  CHECK(mean_proxy_norm(store).value() == doctest::Approx(3 * std::sqrt(2.0)));
}

TEST_CASE("vital signs: gradient norms by group, before anything is clipped") {
  Device device = Device::open("cpu", 1);
  ParameterStore store(device);
  const auto add = [&](const std::string& name, const std::string& group, float gradient) {
    Parameter& parameter = store.add(name, {1}, init::zeros());
    parameter.group = group;
    parameter.grad = Tensor::of<float>({1}, {gradient});
  };
  add("conv1.weight", "", 3);
  add("layer1.weight", "", 4);
  CHECK(gradient_norms(device, store).empty());  // grad_norm says it
  add("loss.proxies", "", 7);
  add("fc.weight", "head", 2);
  store.add("conv2.weight", {1}, init::zeros());  // without gradient
  CHECK(gradient_norms(device, store) ==
        Figures{{"grad_norm_head", 2}, {"grad_norm_loss", 7}, {"grad_norm_net", 5}});
}

TEST_CASE("watch: says once that embeddings have collapsed, and only after some looks") {
  Watch watch(true);
  const VitalSigns collapsed{0.001, 0.001, 1}, healthy{0.5, 1.2, 30};
  std::string told;
  for (int look = 0; look < 4; ++look) CHECK(watch.look(collapsed, 0.2, look).empty());
  told = watch.look(collapsed, 0.2, 4);
  CHECK(told.find("collapsed") != std::string::npos);
  CHECK(told.find("stays at 0.2") != std::string::npos);
  CHECK(watch.look(collapsed, 0.2, 5).empty());

  Watch other(true);
  for (int look = 0; look < 4; ++look) other.look(collapsed, 0.2, look);
  other.look(healthy, 0.2, 4);
  CHECK(other.look(collapsed, 0.2, 5).empty());
}

TEST_CASE("watch: a loss that stands still while classes are mixed is told; a falling one is not") {
  const VitalSigns mixed{1.30, 1.31, 30};
  Watch still(true), falling(true);
  std::string told;
  for (int look = 0; look < 6; ++look) {
    told += still.look(mixed, 0.2, look);
    CHECK(falling.look(mixed, 1.0 - 0.01 * look, look).empty());
  }
  CHECK(told.find("the loss stays at 0.2") != std::string::npos);
}

TEST_CASE("watch: images without a positive are told where the loss compares images") {
  const Tensor x = Tensor::of<float>({4, 2}, {1, 0, 0, 1, -1, 0, 0, -1});
  const std::int64_t different[] = {0, 1, 2, 3}, half[] = {0, 0, 1, 2}, paired[] = {0, 0, 1, 1};
  CHECK(vital_signs(x, different).alone == 1);
  CHECK(vital_signs(x, half).alone == 0.5);
  CHECK(vital_signs(x, paired).alone == 0);
  const auto told = [&](bool pairs, std::span<const std::int64_t> labels) {
    Watch watch(pairs);
    std::string all;
    for (int look = 0; look < 6; ++look)
      all += watch.look(vital_signs(x, labels), 1.0 - 0.1 * look, look);
    return all;
  };
  CHECK(told(true, different).find("100 % of the images of a batch are alone") !=
        std::string::npos);
  CHECK(told(true, half).find("50 % of the images") != std::string::npos);
  CHECK(told(true, paired).empty());
  CHECK(told(false, different).empty());
}
