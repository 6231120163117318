#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "dml/training/checkpoint.hpp"
#include "dml/training/numbers.hpp"
#include "dml/training/run_folder.hpp"
#include "dml/training/sinks.hpp"
#include "engine/device.hpp"
#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"

using namespace dml;
using dml::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

SafeTensors weights_at(std::int64_t step) {
  SafeTensors file;
  file.tensors = {{"w", Tensor::of<float>({2}, {static_cast<float>(step), 1.F})}};
  file.metadata = {{"step", std::to_string(step)}};
  return file;
}

TrainingState state_at(std::int64_t step) {
  TrainingState state;
  state.step = step;
  state.epoch = 1;
  state.loss_sum = 0.1;
  state.best = 1.0 / 3;
  state.texts = {{"schedule.x", "2"}};
  state.tensors = {{"w.steps", Tensor::of<std::int64_t>({1}, {step})}};
  return state;
}

StepDone step_event(std::int64_t step) {
  StepDone event;
  event.step = step;
  event.steps_in_epoch = 4;
  event.loss = 0.5;
  event.images = 8;
  return event;
}

}  // namespace

TEST_CASE("checkpoint: the state comes back as it was, to the bit") {
  const TemporaryFolder folder;
  const CheckpointPair pair(folder.path(), "last");
  CHECK_FALSE(pair.exists());
  pair.write(weights_at(7), state_at(7));
  const TrainingState state = pair.read_state();
  CHECK(state.step == 7);
  CHECK(state.loss_sum == 0.1);
  CHECK(state.best == 1.0 / 3);
  CHECK(state.texts.at("schedule.x") == "2");
  CHECK(state.tensors.at(0).second.data<std::int64_t>()[0] == 7);
}

TEST_CASE("checkpoint: killed between its two renames, a writing is finished by the next reader") {
  const TemporaryFolder folder;
  const CheckpointPair pair(folder.path(), "last");
  pair.write(weights_at(7), state_at(7));
  // Everything is written, and the state alone got its name.
  write_safetensors(folder.path() / "last.safetensors.new", weights_at(8));
  write_safetensors(pair.state(), state_at(8).to_file());
  CHECK(pair.read_state().step == 8);
  CHECK(read_safetensors(pair.weights()).text("step") == "8");
  // Nothing got its name: the old pair stands.
  write_safetensors(folder.path() / "last.safetensors.new", weights_at(9));
  CHECK(pair.read_state().step == 8);
  CHECK_FALSE(fs::exists(folder.path() / "last.safetensors.new"));
  // Weights of another step are refused.
  write_safetensors(pair.weights(), weights_at(3));
  CHECK_THROWS_AS(pair.read_state(), FormatError);
}

TEST_CASE("checkpoint: what does not fit is listed, what is missing keeps its value") {
  const Device device(Backend::reference);
  ParameterStore store(device);
  store.add("a", {2}, init::constant(1));
  store.add("b", {3}, init::constant(1));
  store.add("c", {2}, init::constant(1));
  SafeTensors file;
  file.tensors = {{"a", Tensor::of<float>({1, 2}, {5.F, 6.F})},
                  {"b", Tensor::of<float>({2}, {5.F, 6.F})},
                  {"d", Tensor::of<float>({1}, {5.F})}};
  const WeightReport report = load_weights(file, store);
  CHECK(report.loaded == 1);
  CHECK(report.missing == std::vector<std::string>{"c"});
  CHECK(report.extra == std::vector<std::string>{"d"});
  CHECK(report.misfit_lines(5) == "\n  b  file [2], net [3]");
  CHECK(store.find("a")->value.data<float>()[1] == 6.F);
  CHECK(store.find("b")->value.data<float>()[0] == 1.F);
  CHECK_THROWS_WITH_AS(load_all_weights(file, store, "x"), doctest::Contains("b  file [2]"),
                       FormatError);
}

TEST_CASE("records: a run that goes on tells nothing twice and drops a torn line") {
  const TemporaryFolder folder;
  const fs::path metrics = folder.path() / "metrics.jsonl", epochs = folder.path() / "epochs.csv";
  EpochDone epoch;
  epoch.epoch = 1;
  epoch.step = 2;
  epoch.metrics = {{"recall@1", 0.5}};
  {
    const auto steps = metrics_file(metrics, 1);
    const auto rows = epochs_file(epochs, {"recall@1"});
    for (std::int64_t i = 1; i <= 2; ++i) steps->on(step_event(i), 0);
    rows->on(epoch, 0);
  }
  write_file_atomically(metrics, read_file(metrics) + "{\"event\":\"st");
  write_file_atomically(epochs, read_file(epochs) + "2,4");
  {
    const auto steps = metrics_file(metrics, 1);
    const auto rows = epochs_file(epochs, {"recall@1"});
    for (std::int64_t i = 2; i <= 3; ++i) steps->on(step_event(i), 0);
    rows->on(epoch, 0);
    epoch.epoch = 2;
    epoch.metrics.clear();
    rows->on(epoch, 0);
  }
  const std::string text = read_file(metrics);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.find("\"step\":3") != std::string::npos);
  CHECK(read_file(epochs) ==
        "epoch,step,loss,lr,images,split,recall@1\n1,2,0,0,0,,0.5\n2,2,0,0,0,,\n");
}

TEST_CASE("records: numbers that are none become null") {
  StepDone event = step_event(1);
  event.loss = std::nan("");
  CHECK(nlohmann::json::parse(json_of(event, 1.5)).at("loss").is_null());
  CHECK(nlohmann::json::parse(json_of(Warning{"a \"b\"\n\xff"}, 0)).at("event") == "warning");
}

TEST_CASE("narrator: an epoch in a line, with throughput and the time that is left") {
  Narrator narrate;
  CHECK(narrate(RunStarted{{"a", "b"}, 2, 8, 0, 0}, 0) == "a\nb");
  for (std::int64_t i = 1; i <= 4; ++i)
    CHECK(narrate(step_event(i), static_cast<double>(i)).empty());
  CHECK(narrate.share() == 0.5);
  EpochDone epoch;
  epoch.epoch = 1;
  epoch.epochs = 2;
  epoch.step = 4;
  epoch.loss = 4.182;
  epoch.metrics = {{"recall@1", 0.661}};
  epoch.best = 0.661;
  epoch.best_epoch = 1;
  epoch.best_metric = "recall@1";
  CHECK(narrate(epoch, 4) ==
        "epoch 1/2  loss 4.182  R@1 0.661  (best R@1 0.661 @ 1)  8.0 img/s  eta 4 s");
}

TEST_CASE("run folder: only files of the run are removed when it is overwritten") {
  using Existing = RunFolder::Existing;
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  CHECK_THROWS_AS(RunFolder::prepare(path, Existing::resume), UsageError);
  const RunFolder run = RunFolder::prepare(path, Existing::refuse);
  write_file_atomically(run.config(), "");
  write_file_atomically(path / "mine.txt", "");
  CHECK_THROWS_AS(RunFolder::prepare(path, Existing::refuse), UsageError);
  RunFolder::prepare(path, Existing::overwrite);
  CHECK(fs::exists(path / "mine.txt"));
  CHECK_FALSE(fs::exists(run.config()));
}

TEST_CASE("numbers: the norm of gradients does not depend on threads, and NaN is found") {
  Device one(Backend::cpu, 1), two(Backend::cpu, 2);
  ParameterStore store(one);
  Parameter& big = store.add("big", {200001}, init::normal(1));
  Parameter& small = store.add("small", {2}, init::constant(1));
  big.grad = big.value.clone();
  small.grad = Tensor::of<float>({2}, {3.F, 4.F});
  CHECK(gradient_norm(one, store) == gradient_norm(two, store));
  big.grad = Tensor();
  CHECK(gradient_norm(one, store) == doctest::Approx(5));
  small.trainable = false;
  CHECK(gradient_norm(one, store) == 0);
  CHECK(first_not_finite(small.grad) == -1);
  small.grad.data<float>()[1] = std::numeric_limits<float>::infinity();
  CHECK(first_not_finite(small.grad) == 1);
}
