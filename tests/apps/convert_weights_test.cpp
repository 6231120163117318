#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/places.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/text.hpp"
#include "tests/weights_convert/torch_file.hpp"

namespace dml::testing {
namespace {

/// What a run of the program gave.
struct Outcome {
  int status;
  std::string out, err;
};

/// Runs convert_weights with these arguments in a folder.
Outcome run(const TemporaryFolder& folder, const std::string& arguments) {
  const std::string command = "cd '" + folder.path().string() + "' && '" +
                              (testing::build_dir() / "convert_weights").string() + "' " +
                              arguments + " >.out 2>.err";
  const int status = std::system(command.c_str());
  Outcome outcome{WEXITSTATUS(status), read_file(folder / ".out"), read_file(folder / ".err")};
  std::filesystem::remove(folder / ".out");
  std::filesystem::remove(folder / ".err");
  return outcome;
}

std::string six() { return pickle::tensor(pickle::storage("0", 6), 0, {2, 3}, {3, 1}); }

TEST_CASE("convert_weights: a file is converted, listed, and described as JSON") {
  const TemporaryFolder folder;
  write_file_atomically(
      folder / "model.pth.tar",
      zip_checkpoint(pickle::dict({{pickle::text("w"), six()}}), {{"0", floats(6)}}));
  const Outcome done = run(folder, "model.pth.tar");
  CHECK(done.status == 0);
  CHECK(done.err.empty());
  CHECK(done.out == "model.safetensors: 1 tensors, 6 numbers, from torch zip\n");
  const SafeTensors found = read_safetensors(folder / "model.safetensors");
  CHECK(found.at("w").shape() == Shape{2, 3});
  CHECK(found.text("source") == "model.pth.tar");
  CHECK(found.text("source.sha256") == sha256_of_file(folder / "model.pth.tar"));
  const std::string first = read_file(folder / "model.safetensors");
  run(folder, "model.pth.tar -o again.safetensors");
  CHECK(read_file(folder / "again.safetensors") == first);

  CHECK(run(folder, "model.pth.tar --list").out ==
        "w  f32   [2, 3]\n1 tensors, 6 numbers; torch zip\n");
  const auto json = nlohmann::json::parse(run(folder, "model.pth.tar --list --json").out);
  CHECK(json["list"][0]["shape"] == nlohmann::json({2, 3}));
  CHECK(folder.entries() == 3);
  CHECK(run(folder, "again.safetensors").status == 2);  // would be written over itself
}

TEST_CASE("convert_weights: bad files give one line, status 3 and no output") {
  const TemporaryFolder folder;
  write_file_atomically(
      folder / "evil.pth",
      zip_checkpoint(pickle::dict({{pickle::text("w"), six()},
                                   {pickle::text("x"),
                                    pickle::call(pickle::global("posix", "system"),
                                                 pickle::tuple({pickle::text("touch pwned")}))}}),
                     {{"0", floats(6)}}));
  const Outcome evil = run(folder, "evil.pth -o out.safetensors");
  CHECK(evil.status == 3);
  CHECK(evil.out.empty());
  CHECK(contains(evil.err, "convert_weights: evil.pth: archive/data.pkl, byte "));
  CHECK(contains(evil.err, "posix.system"));
  CHECK(evil.err.find('\n') == evil.err.size() - 1);
  CHECK(folder.entries() == 1);
  CHECK(run(folder, "none.pth").status == 3);
  CHECK(contains(run(folder, "none.pth").err, "none.pth: No such file"));
}

TEST_CASE("convert_weights: wrong usage and unwritable output") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.pth", zip_checkpoint(six(), {{"0", floats(6)}}));
  CHECK(run(folder, "m.pth --net resnet81").status == 2);
  CHECK(contains(run(folder, "m.pth --net resnet81").err, "did you mean 'resnet18'"));
  CHECK(contains(run(folder, "m.pth --outptu x").err, "'--output'"));
  CHECK(run(folder, "m.pth --from nowhere").status == 2);
  CHECK(run(folder, "m.pth -o missing/x").status == 1);
  CHECK(run(folder, "m.pth -o /dev/full").status == 1);
  CHECK(contains(run(folder, "m.pth -o /dev/full").err, "No space left on device"));
}

TEST_CASE("convert_weights: tensors that do not fit a net are listed") {
  const TemporaryFolder folder;
  const auto part = [](std::vector<std::int64_t> shape) {
    std::vector<std::int64_t> strides(shape.size(), 0);
    return pickle::tensor(pickle::storage("0", 6), 0, shape, strides);
  };
  write_file_atomically(
      folder / "m.pth",
      zip_checkpoint(pickle::dict({{pickle::text("conv1.weight"), part({64, 3, 7, 7})},
                                   {pickle::text("bn1.weight"), part({32})},
                                   {pickle::text("odd"), part({1})}}),
                     {{"0", floats(6)}}));
  const Outcome outcome = run(folder, "m.pth --net ResNet-18");
  CHECK(outcome.status == 3);
  CHECK(contains(outcome.err, "m.pth: "));
  CHECK(contains(outcome.err, "tensors do not fit net 'resnet18'"));
  CHECK(contains(outcome.err, "file [32], net [64]"));
  CHECK(contains(outcome.err, "odd"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("convert_weights: names are mapped by rules of the user's own") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.pth",
                        zip_checkpoint(pickle::dict({{pickle::text("encoder.a"), six()},
                                                     {pickle::text("encoder.head.b"), six()},
                                                     {pickle::text("ema.a"), six()}}),
                                       {{"0", floats(6)}}));
  const auto map = [&](const std::string& rules) {
    write_file_atomically(folder / "rules.toml", rules);
    return run(folder, "m.pth --map rules.toml -o out.safetensors");
  };
  const Outcome done = map("drop = ['ema.']\n[rename]\n'encoder.' = ''\n'encoder.head.' = 'fc.'\n");
  CHECK_MESSAGE(done.status == 0, done.err);
  const SafeTensors found = read_safetensors(folder / "out.safetensors");
  REQUIRE(found.tensors.size() == 2);
  CHECK(found.tensors[0].first == "a");
  CHECK(found.tensors[1].first == "fc.b");
  const Outcome unused = map("drop = ['emma.']\n");
  CHECK(unused.status == 2);
  CHECK(contains(unused.err, "no tensor's name begins with 'emma.'"));
  const Outcome collide = map("[rename]\n'encoder.a' = 'x'\n'ema.a' = 'x'\n");
  CHECK(collide.status == 3);
  CHECK(contains(collide.err, "two tensors would be called 'x'"));
  CHECK(contains(map("drop = 3\n").err, "rules.toml:1"));
  CHECK(contains(map("drop = [3]\n").err, "rules.toml:1:9"));
  CHECK(map("drop = \n").status == 3);
  CHECK(run(folder, "m.pth --map none.toml").status == 3);
}

}  // namespace
}  // namespace dml::testing
