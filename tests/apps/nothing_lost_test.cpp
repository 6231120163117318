#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// A run with a checkpoint after four steps, what it holds, and the words that go on with it.
struct HalfRun {
  TempFolder folder;
  fs::path out = folder / "run";
  std::string before;
  std::vector<std::string> go_on = rich_training(out, {"--steps", "0", "--resume"});

  HalfRun() {
    REQUIRE(run("dmltrain", rich_training(out, {"--steps", "4"})).status == 0);
    before = last_weights(out);
  }
};

}  // namespace

TEST_CASE("nothing lost: a disk that is full in mid-run") {
  const HalfRun half;
  const Outcome full = run_limited("ulimit -f 200", "dmltrain", half.go_on);
  INFO(full.err);
  CHECK(full.status == 1);
  CHECK(full.err.find("last.safetensors.new: ") != std::string::npos);
  CHECK(full.err.find("File too large") != std::string::npos);
  CHECK(last_weights(half.out) == half.before);
  CHECK(clean(half.out / "checkpoints"));
  CHECK_FALSE(fs::exists(half.out / "checkpoints/last.safetensors.new"));
  CHECK(run("dmltrain", half.go_on).status == 0);
  CHECK(last_weights(half.out) == undisturbed_rich());
}

TEST_CASE("nothing lost: a disk that is full where the run tells of itself") {
  const HalfRun half;
  for (const char* name : {"metrics.jsonl", "epochs.csv", "log.txt"}) {
    // The file is as large as files may be, and the checkpoints are smaller.
    constexpr std::size_t most = 24 << 20;
    const std::string kept = dml::read_file(half.out / name);
    dml::write_file_atomically(half.out / name,
                               kept + std::string(most - kept.size() - 1, ' ') + "\n");
    const Outcome full = run_limited("ulimit -f 49152", "dmltrain", half.go_on);
    INFO(full.err);
    CHECK(full.status == 1);
    CHECK(full.err.find((half.out / name).string() + ": writing failed") != std::string::npos);
    CHECK(full.err.find("File too large") != std::string::npos);
    CHECK(last_weights(half.out) == half.before);
    dml::write_file_atomically(half.out / name, kept);
  }
  CHECK(run("dmltrain", half.go_on).status == 0);
  CHECK(last_weights(half.out) == undisturbed_rich());
}

TEST_CASE("nothing lost: a run folder that cannot be written") {
  const Outcome nowhere = run("dmltrain", tiny_training("/proc/nowhere/run"));
  INFO(nowhere.err);
  CHECK(nowhere.status == 3);
  CHECK(nowhere.err.find("the folder cannot be made") != std::string::npos);
  CHECK(nowhere.err.find("--output") != std::string::npos);
}

TEST_CASE("nothing lost: a run folder that has become read-only goes on when it can be written") {
  // Modes do not stop root, a mount of its own does.
  if (std::system("unshare -rm true 2>/dev/null") != 0) {
    MESSAGE("skipped: this machine allows no mounts of one's own (unshare -rm)");
    return;
  }
  const HalfRun half;
  const std::string config = dml::read_file(half.out / "config.toml");
  const std::string place = quoted(half.out.string());
  const std::string mounts = "mount --bind " + place + " " + place +
                             " && mount -o remount,ro,bind " + place + " && exec \"$0\" \"$@\"";
  const Outcome outcome =
      run_behind("exec unshare -rm sh -c " + quoted(mounts), "dmltrain", half.go_on);
  INFO(outcome.err);
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find(half.out.string()) != std::string::npos);
  CHECK(outcome.err.find("Read-only file system") != std::string::npos);
  CHECK(last_weights(half.out) == half.before);
  CHECK(dml::read_file(half.out / "config.toml") == config);
  CHECK(run("dmltrain", half.go_on).status == 0);
  CHECK(last_weights(half.out) == undisturbed_rich());
}

TEST_CASE("nothing lost: a file where the run wants a folder") {
  const HalfRun half;
  fs::rename(half.out / "checkpoints", half.folder / "kept");
  std::ofstream(half.out / "checkpoints") << "no folder";
  const Outcome outcome = run("dmltrain", half.go_on);
  INFO(outcome.err);
  CHECK(outcome.status == 3);
  CHECK(outcome.err.find((half.out / "checkpoints").string()) != std::string::npos);
  fs::remove(half.out / "checkpoints");
  fs::rename(half.folder / "kept", half.out / "checkpoints");
  CHECK(run("dmltrain", half.go_on).status == 0);
  CHECK(last_weights(half.out) == undisturbed_rich());
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
  CHECK(last_weights(out) == undisturbed_rich());
}

#ifndef DML_OWN_THREADS  // the address sanitizer alone maps more than the limit
TEST_CASE("nothing lost: memory that does not suffice ends with 4 and a remedy") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run_limited("ulimit -v 3000000", "dmltrain",
                                      tiny_training(out, {"--image-size", "4000", "-j", "0"}));
  INFO(outcome.err);
  CHECK(outcome.status == 4);
  CHECK(outcome.err.find("out of memory") != std::string::npos);
  CHECK(clean(out / "checkpoints"));
}

TEST_CASE("nothing lost: memory that does not suffice after a checkpoint") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  // Steps on pictures of this size take 2 GB; the first process may have them.
  const std::vector<std::string> large = {"--image-size", "512", "-j", "0", "--eval-every", "0"};
  auto first = large, second = large;
  first.insert(first.end(), {"--steps", "1"});
  second.insert(second.end(), {"--steps", "2", "--resume"});
  const Outcome begun = run("dmltrain", tiny_training(out, first));
  REQUIRE_MESSAGE(begun.status == 0, begun.err);
  const std::string before = last_weights(out),
                    state = dml::read_file(out / "checkpoints/last.state");
  const Outcome outcome = run_limited("ulimit -v 1000000", "dmltrain", tiny_training(out, second));
  INFO(outcome.err);
  CHECK(outcome.status == 4);
  CHECK(outcome.err.find("out of memory") != std::string::npos);
  CHECK(last_weights(out) == before);
  CHECK(dml::read_file(out / "checkpoints/last.state") == state);
  CHECK(clean(out / "checkpoints"));
  const Outcome again = run("dmltrain", tiny_training(out, second));
  CHECK_MESSAGE(again.status == 0, again.err);
  CHECK(last_weights(out) != before);
}
#endif
