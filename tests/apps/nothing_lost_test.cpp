#include <doctest/doctest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "dml/training/run_folder.hpp"
#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/places.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

std::string last_weights(const fs::path& run_folder) {
  return dml::read_file(run_folder / "checkpoints/last.safetensors");
}

/// Three epochs with everything that has a state: a warm-up, a plateau, groups, two optimizers.
std::vector<std::string> rich_training(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments =
      tiny_training(out, {"--epochs", "3", "--warmup-epochs", "1", "--schedule", "plateau"});
  for (const char* set :
       {"schedule.patience=0", "schedule.threshold=1", "warmup_by=step", "clip_grad_value=0.5",
        "groups.head.match=loss.*", "groups.head.optimizer=sgd", "groups.head.lr=0.05",
        "groups.stem.match=conv1.*,bn1.*", "groups.stem.frozen_epochs=1",
        "groups.stem.weight_decay=0.01", "groups.first.match=layer1.*",
        "groups.first.freeze_from=3"}) {
    arguments.emplace_back("--set");
    arguments.emplace_back(set);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The bytes that such a training ends with when nothing disturbs it.
const std::string& undisturbed() {
  static const std::string bytes = [] {
    const TempFolder folder;
    const Outcome outcome = run("dmltrain", rich_training(folder / "run", {}));
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return last_weights(folder / "run");
  }();
  return bytes;
}

/// A tool under a limit of the shell: "ulimit -f 100".
Outcome run_limited(const TempFolder& folder, const std::string& limit, const std::string& tool,
                    const std::vector<std::string>& arguments) {
  std::string command = limit + "; exec '" + (dml::testing::build_dir() / tool).string() + "'";
  for (const std::string& word : arguments) command += " '" + word + "'";
  command = "(" + command + ") >'" + (folder / "out").string() + "' 2>'" +
            (folder / "err").string() + "'";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          dml::read_file(folder / "out"), dml::read_file(folder / "err")};
}

/// Whether a folder holds nothing that a half-done writing left.
bool clean(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().string().find(".tmp-") != std::string::npos) return false;
  return true;
}

}  // namespace

TEST_CASE("nothing lost: killed at twenty random moments, a run ends with the same bytes") {
  using namespace std::chrono_literals;
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string want = undisturbed();
  int kills = 0;
  for (int round = 0; kills < 20; ++round) {
    REQUIRE(round < 200);
    const TempFolder folder;
    const fs::path out = folder / "run";
    for (bool done = false; !done && kills < 20;) {
      std::vector<std::string> more = {"--checkpoint-every", "1"};
      if (dml::RunFolder::holds_run(out)) more.emplace_back("--resume");
      Process process("dmltrain", rich_training(out, more));
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 700));
      done = process.ended();
      if (!done) ++kills;
      process.signal(SIGKILL);
      process.wait();
    }
    std::vector<std::string> more = {"--checkpoint-every", "1"};
    if (dml::RunFolder::holds_run(out)) more.emplace_back("--resume");
    const Outcome outcome = run("dmltrain", rich_training(out, more));
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(last_weights(out) == want);
    CHECK(clean(out / "checkpoints"));
  }
}

TEST_CASE("nothing lost: a disk that is full in mid-run") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(run("dmltrain", rich_training(out, {"--steps", "4"})).status == 0);
  const std::string before = last_weights(out);
  const std::vector<std::string> go_on = rich_training(out, {"--steps", "0", "--resume"});
  const Outcome full = run_limited(folder, "ulimit -f 200", "dmltrain", go_on);
  INFO(full.err);
  CHECK(full.status == 1);
  CHECK(full.err.find("last.safetensors.new: ") != std::string::npos);
  CHECK(full.err.find("File too large") != std::string::npos);
  CHECK(last_weights(out) == before);
  CHECK(clean(out / "checkpoints"));
  CHECK(run("dmltrain", go_on).status == 0);
  CHECK(last_weights(out) == undisturbed());
}

TEST_CASE("nothing lost: a run folder that cannot be written") {
  const Outcome nowhere = run("dmltrain", tiny_training("/proc/nowhere/run"));
  INFO(nowhere.err);
  CHECK(nowhere.status == 3);
  CHECK(nowhere.err.find("the folder cannot be made") != std::string::npos);
  CHECK(nowhere.err.find("--output") != std::string::npos);
}

TEST_CASE("nothing lost: pictures that vanish in mid-run, and come back") {
  const TempFolder folder;
  const fs::path out = folder / "run", data = folder / "data";
  run("dmldata", {"stats", "shapes", picture_folder().string(), "--set", "dataset.classes=8",
                  "--set", "dataset.images=8"});
  fs::copy(picture_folder(), data, fs::copy_options::recursive);
  const std::vector<std::string> place = {"--data-dir", data.string()};
  auto first = place;
  first.insert(first.end(), {"--steps", "4"});
  REQUIRE(run("dmltrain", rich_training(out, first)).status == 0);
  const std::string before = last_weights(out);
  fs::path images;
  for (const auto& entry : fs::recursive_directory_iterator(data))
    if (entry.path().filename() == "images") images = entry.path();
  // Every picture keeps its size, so that only reading it shows that it is gone.
  fs::copy(images, folder / "kept", fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(images))
    if (entry.is_regular_file()) {
      const auto size = fs::file_size(entry.path());
      std::ofstream(entry.path(), std::ios::trunc).flush();
      fs::resize_file(entry.path(), size);
    }
  auto second = place;
  second.insert(second.end(), {"--steps", "0", "--resume"});
  const Outcome gone = run("dmltrain", rich_training(out, second));
  INFO(gone.err);
  CHECK(gone.status == 3);
  CHECK(gone.err.find(images.string()) != std::string::npos);
  CHECK(last_weights(out) == before);
  fs::remove_all(images);
  const Outcome removed = run("dmltrain", rich_training(out, second));
  INFO(removed.err);
  CHECK(removed.status == 3);
  CHECK(last_weights(out) == before);
  fs::copy(folder / "kept", images, fs::copy_options::recursive);
  CHECK(run("dmltrain", rich_training(out, second)).status == 0);
  CHECK(last_weights(out) == undisturbed());
}

#ifndef DML_OWN_THREADS  // the address sanitizer alone maps more than the limit
TEST_CASE("nothing lost: memory that does not suffice ends with 4 and a remedy") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run_limited(folder, "ulimit -v 3000000", "dmltrain",
                                      tiny_training(out, {"--image-size", "4000", "-j", "0"}));
  INFO(outcome.err);
  CHECK(outcome.status == 4);
  CHECK(outcome.err.find("out of memory") != std::string::npos);
  CHECK(clean(out / "checkpoints"));
}
#endif
