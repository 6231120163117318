#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "engine/safetensors.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/weights_convert/torch_file.hpp"
#include "weights_convert/weights.hpp"

namespace dml::weights {
namespace {

using namespace dml::testing;
using namespace dml::testing::pickle;

Weights weights_of(const std::string& contents) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.pth", contents);
  return read_weights(folder / "x.pth");
}

void refuses(const std::string& contents, const char* message) {
  CHECK_THROWS_WITH_AS(weights_of(contents), doctest::Contains(message), DataError);
}

std::vector<std::string> names_of(const Weights& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<float> values_of(const Weights& weights, const std::string& wanted) {
  for (const auto& [name, tensor] : weights.tensors)
    if (name == wanted) {
      const auto values = tensor.data<float>();
      return {values.begin(), values.end()};
    }
  return {};
}

using Names = std::vector<std::string>;
using Values = std::vector<float>;

std::string six() { return tensor(storage("0", 6), 0, {2, 3}, {3, 1}); }
std::string zip_six(const std::string& object) {
  return zip_checkpoint(object, {{"0", floats(6)}});
}

TEST_CASE("checkpoints: both formats give the same tensors") {
  for (const bool legacy : {false, true}) {
    const auto part = [&](std::int64_t offset, std::vector<std::int64_t> shape,
                          std::vector<std::int64_t> strides) {
      return tensor(storage("77", 6, "FloatStorage", legacy), offset, shape, strides);
    };
    const std::string object = dict({{text("rows"), part(0, {2, 3}, {3, 1})},
                                     {text("columns"), part(0, {3, 2}, {1, 3})},
                                     {text("last"), part(5, {}, {})},
                                     {text("expanded"), part(1, {2, 2}, {0, 1})},
                                     {text("none"), part(6, {0, 4}, {4, 1})}});
    const Weights weights = weights_of(legacy ? legacy_checkpoint(object, {{"77", 6, floats(6)}})
                                              : zip_checkpoint(object, {{"77", floats(6)}}));
    CHECK(weights.format == (legacy ? "torch legacy" : "torch zip"));
    CHECK(names_of(weights) == Names{"columns", "expanded", "last", "none", "rows"});
    CHECK(values_of(weights, "rows") == Values{1, 2, 3, 4, 5, 6});
    CHECK(values_of(weights, "columns") == Values{1, 4, 2, 5, 3, 6});
    CHECK(values_of(weights, "last") == Values{6});
    CHECK(values_of(weights, "expanded") == Values{2, 3, 2, 3});
    CHECK(values_of(weights, "none").empty());
  }
}

TEST_CASE("checkpoints: wrappers are opened and names joined by dots") {
  const std::string inner = dict({{text("w"), six()}});
  const auto names = [&](const std::string& object) {
    return names_of(weights_of(zip_six(object)));
  };
  for (const char* key :
       {"state_dict", "model_state_dict", "model", "net", "network", "module", "weights"})
    CHECK(names(dict({{text(key), inner}, {text("epoch"), "K\x01"}})) == Names{"w"});
  CHECK(names(dict({{text("model"), dict({{text("state_dict"), inner}})}})) == Names{"w"});
  CHECK(names(dict({{text("net"), inner}, {text("state_dict"), inner}})) == Names{"w"});
  CHECK(names(dict({{text("a"), inner}, {text("b"), inner}})) == Names{"a.w", "b.w"});
  CHECK(names(dict({{text("model"), "N"}, {text("b"), inner}})) == Names{"b.w"});
  CHECK(names(dict({{text("model"), list({six()})}})) == Names{"model.0"});
  CHECK(names(six()) == Names{"tensor"});
  CHECK(names(list({six(), tuple({"N", six()})})) == Names{"0", "1.1"});
  CHECK(names(dict({{number(7), six()}, {number(-2), six()}})) == Names{"-2", "7"});
  CHECK(names(dict({{"\x88", six()}, {text("b"), six()}})) == Names{"b"});  // no text, no number
  CHECK(names(dict({{text("module.a"), six()}, {text("module.b"), six()}})) == Names{"a", "b"});
  CHECK(names(dict({{text("module.a"), six()}, {text("b"), six()}})) == Names{"b", "module.a"});
  CHECK(weights_of(zip_six(dict({{text("a"), "N"}, {text("a"), six()}, {text("c"), "N"}})))
            .left_out == 1);
  CHECK(names(dict({{text("a"), six()}, {text("b"), six()}, {text("a"), "N"}})) == Names{"b"});
}

TEST_CASE("checkpoints: objects without usable tensors are refused") {
  refuses(zip_six(dict({{text("a"), dict({{text("b"), six()}})}, {text("a.b"), six()}})), "'a.b'");
  refuses(zip_six(dict({{text("__metadata__"), six()}})), "__metadata__");
  refuses(zip_six("K\x01"), "no tensor");
  refuses(zip_six(global("models", "Net") + ")\x81"), "models.Net");
  refuses(zip_six("}q\x01" + text("a") + six() + "s" + text("loop") + "h\x01s"), "holds itself");
  refuses(zip_six("}q\x01" + text("a") + six() + "s" + text("model") + "h\x01s"), "holds itself");
  std::string doubling = "](" + six() + "e";
  for (int i = 0; i < 40; ++i) doubling = "](" + doubling + "q\x01h\x01" + "e";
  refuses(zip_six(doubling), "more than 65536");
}

TEST_CASE("checkpoints: storages that are shared or spread too far are refused") {
  refuses(zip_six(tensor(storage("0", 6), 0, {std::int64_t{1} << 40}, {0})), "spreads");
  refuses(zip_six(tensor(storage("0", 7), 0, {7}, {1})), "24 bytes");
  refuses(zip_six(tensor(storage("1", 6), 0, {6}, {1})), "missing");
  // One storage of 4 MB under 1,000 names would be a file of 4 GB.
  const std::string data = floats(1U << 20U);
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < 1000; ++i)
    items.emplace_back(text(std::to_string(i)), tensor(storage("0", 1 << 20), 0, {1 << 20}, {1}));
  refuses(zip_checkpoint(dict(items), {{"0", data}}), "unfold");
  items.resize(4);
  CHECK(weights_of(zip_checkpoint(dict(items), {{"0", data}})).tensors.size() == 4);
}

TEST_CASE("checkpoints: damaged zip files are refused") {
  const std::string whole = zip_six(dict({{text("w"), six()}}));
  CHECK(weights_of(whole).tensors.size() == 1);
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_THROWS_AS(weights_of(whole.substr(0, n)), DataError);
  // A changed bit is found, or it lies where nothing is read (times, attributes, versions).
  int found = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    try {
      const Weights weights = weights_of(changed);
      CHECK(values_of(weights, "w") == Values{1, 2, 3, 4, 5, 6});
    } catch (const DataError&) {
      ++found;
    }
  }
  CHECK(found > 300);
  refuses(zip_of({}), "empty");
  refuses(zip_of({{"a/data.pkl", file("N")}, {"b/data.pkl", file("N")}}), "which one");
  refuses(zip_of({{"a/data.pkl", file("N")}, {"a/data.pkl", file("N")}}), "two records");
  refuses(zip_of({{"a/data.pkl", file("N")}, {"a/constants.pkl", "x"}}), "TorchScript");
  refuses(zip_of({{"x.npy", "x"}, {"y.npy", "y"}}), "npz");
  refuses(zip_of({{"a/data.pkl", file("N")}, {"a/byteorder", "odd"}}), "byte order");
}

TEST_CASE("checkpoints: big-endian storages are swapped") {
  std::string swapped = floats(6);
  for (std::size_t i = 0; i < swapped.size(); i += 4)
    std::reverse(swapped.begin() + static_cast<std::ptrdiff_t>(i),
                 swapped.begin() + static_cast<std::ptrdiff_t>(i + 4));
  const Weights weights = weights_of(zip_of(
      {{"data.pkl", file(dict({{text("w"), six()}}))}, {"data/0", swapped}, {"byteorder", "big"}}));
  CHECK(values_of(weights, "w") == Values{1, 2, 3, 4, 5, 6});
}

TEST_CASE("checkpoints: damaged legacy files give tensors or an error") {
  const std::string object =
      dict({{text("w"), tensor(storage("77", 6, "FloatStorage", true), 0, {2, 3}, {3, 1})}});
  const std::string whole = legacy_checkpoint(object, {{"77", 6, floats(6)}});
  CHECK(weights_of(whole + "more").tensors.size() == 1);
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_THROWS_AS(weights_of(whole.substr(0, n)), DataError);
  int read = 0, refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const char with : {'\0', '\xFF', 'R', '('}) {
      std::string changed = whole;
      changed[i] = with;
      try {
        weights_of(changed);
        ++read;
      } catch (const DataError&) {
        ++refused;
      }
    }
  CHECK(read > 50);  // of the numbers nothing is checked
  CHECK(refused > 500);
  refuses(legacy_checkpoint(object, {{"77", 5, floats(5)}}), "elements");
  refuses(legacy_checkpoint(object, {{"77", -1, floats(6)}}), "elements");
  refuses(legacy_checkpoint(object, {{"78", 6, floats(6)}}), "78");
  refuses(legacy_checkpoint(object, {{"77", 6, floats(6)}, {"77", 6, floats(6)}}), "twice");
  refuses(legacy_checkpoint(object, {}), "no data");
}

TEST_CASE("checkpoints: other files are told by their contents") {
  refuses("", "empty");
  refuses("\x1F\x8B\x08 and so on", "gzip");
  refuses("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
  refuses(" \n<!DOCTYPE html>", "web page");
  refuses("\x89PNG\r\n", "PNG");
  refuses("something else", "no format");
  refuses(std::string(257, '\0') + "ustar" + std::string(250, '\0'), "tar file");
  CHECK_THROWS_WITH_AS(read_weights("/nowhere/x.pth"), doctest::Contains("No such file"),
                       DataError);
}

TEST_CASE("weights: safetensors and folders of npy") {
  const TemporaryFolder folder;
  const Tensor one = Tensor::of<float>({2}, {1, 2});
  write_safetensors(folder / "a.bin", {{{"module.x", one}, {"module.y", one}}, {{"net", "n"}}});
  const Weights weights = read_weights(folder / "a.bin");
  CHECK(weights.format == "safetensors");
  CHECK(names_of(weights) == Names{"x", "y"});
  CHECK(weights.metadata.at("net") == "n");
  CHECK(weights.sha256 == sha256_of_file(folder / "a.bin"));

  std::filesystem::create_directories(folder / "npy/layer1");
  CHECK_THROWS_WITH_AS(read_weights(folder / "npy"), doctest::Contains("no .npy"), DataError);
  write_npy(folder / "npy/layer1/conv.weight.npy", one);
  write_npy(folder / "npy/bias.npy", one);
  const Weights arrays = read_weights(folder / "npy");
  CHECK(names_of(arrays) == Names{"bias", "layer1.conv.weight"});
  CHECK(arrays.sha256.size() == 64);
  write_file_atomically(folder / "npy/bad.npy", "bad");
  CHECK_THROWS_WITH_AS(read_weights(folder / "npy"), doctest::Contains("bad.npy"), FormatError);
}

}  // namespace
}  // namespace dml::weights
