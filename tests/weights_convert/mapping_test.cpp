#include "weights_convert/mapping.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/error.hpp"
#include "engine/safetensors.hpp"
#include "tests/temporary_folder.hpp"
#include "weights_convert/convert.hpp"

namespace dml::weights {
namespace {

Tensor filled(const Shape& shape, float value) {
  const Tensor tensor(shape, DType::f32);
  for (float& one : tensor.data<float>()) one = value;
  return tensor;
}

/// A small net: a stem, two layers, a classifier on two features.
NetTarget small_net() {
  NetTarget net;
  net.name = "small";
  net.tensors = {{"conv1.weight", {2, 3, 1, 1}, "conv1"}, {"bn1.weight", {2}, "bn1"},
                 {"bn1.num_batches_tracked", {}, "bn1"},  {"layer1.0.weight", {2, 2}, "layer1"},
                 {"layer1.1.weight", {2, 2}, "layer1"},   {"layer2.0.weight", {2, 2}, "layer2"}};
  net.optional = {{"embedding.weight", {-1, -1}}};
  net.classifier = "fc";
  net.width = 2;
  return net;
}

NamedTensors small_file() {
  return {{"conv1.weight", filled({2, 3, 1, 1}, 1)},
          {"bn1.weight", filled({2}, 2)},
          {"layer1.0.weight", filled({2, 2}, 3)},
          {"layer1.1.weight", filled({2, 2}, 4)},
          {"layer2.0.weight", filled({2, 2}, 5)}};
}

NamedTensors with_prefix(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) result.emplace_back(prefix + name, tensor);
  return result;
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

Mapping map(NamedTensors tensors, const std::string& source = "auto") {
  return map_onto(std::move(tensors), small_net(), source);
}

TEST_CASE("mapping: a file of the net fits, in the net's order") {
  NamedTensors reversed = small_file();
  std::reverse(reversed.begin(), reversed.end());
  const Mapping mapping = map(reversed);
  CHECK(mapping.fits());
  CHECK(mapping.problems(9).empty());
  CHECK(mapping.remarks(9).empty());
  CHECK(names_of(mapping.tensors) == names_of(small_file()));  // the counter may be absent
}

TEST_CASE("mapping: missing, extra and misshapen tensors are listed") {
  NamedTensors tensors = small_file();
  tensors[0].second = filled({2, 3, 3, 3}, 1);
  tensors[3].first = "layer1.9.weight";
  const Mapping mapping = map(tensors);
  CHECK(!mapping.fits());
  CHECK(mapping.missing == std::vector<std::string>{"layer1.1.weight"});
  CHECK(mapping.extra == std::vector<std::string>{"layer1.9.weight"});
  REQUIRE(mapping.misfits.size() == 1);
  CHECK(mapping.problems(9) ==
        "  conv1.weight     file [2, 3, 3, 3], net [2, 3, 1, 1]\n"
        "  layer1.1.weight  missing in the file\n"
        "  layer1.9.weight  not in the net");
}

TEST_CASE("mapping: a file that ends early fits, one with holes does not") {
  NamedTensors tensors = small_file();
  tensors.resize(4);
  const Mapping early = map(tensors);
  CHECK(early.fits());
  CHECK(early.absent == std::vector<std::string>{"layer2"});
  CHECK(early.last_stage == "layer1");
  CHECK(early.remarks(9) ==
        "  the file ends after layer1; layer2 is absent and will be initialised");
  tensors.resize(3);  // part of layer1 is missing as well
  const Mapping cut = map(tensors);
  CHECK(cut.missing == std::vector<std::string>{"layer1.1.weight"});
  NamedTensors hole = small_file();
  hole.erase(hole.begin());
  CHECK(map(hole).missing == std::vector<std::string>{"conv1.weight"});
}

TEST_CASE("mapping: the classifier goes by its shape under any of its names") {
  for (const char* name : {"fc", "last_linear", "classifier"}) {
    NamedTensors tensors = small_file();
    tensors.emplace_back(std::string(name) + ".weight", filled({7, 2}, 1));
    tensors.emplace_back(std::string(name) + ".bias", filled({7}, 1));
    const Mapping mapping = map(tensors);
    CHECK(mapping.fits());
    CHECK(mapping.tensors.size() == 7);
    CHECK(mapping.tensors.back().first == "fc.bias");
    NetTarget net = small_net();
    net.classes = 5;
    const Mapping other = map_onto(tensors, net, "auto");
    CHECK(other.fits());
    CHECK(other.kept_out.size() == 2);
    CHECK(other.remarks(9) ==
          "  fc.weight  file [7, 2], net [5, 2]  -> kept out (classifier)\n"
          "  fc.bias    file [7], net [5]  -> kept out (classifier)");
  }
}

TEST_CASE("mapping: sources") {
  const auto expected = names_of(small_file());
  CHECK(names_of(map(with_prefix(small_file(), "model.")).tensors) == expected);
  CHECK(names_of(map(with_prefix(small_file(), "model."), "proxy-anchor").tensors) == expected);
  CHECK(!map(with_prefix(small_file(), "model."), "torchvision").fits());
  CHECK(names_of(map(with_prefix(small_file(), "inception."), "intra-batch").tensors) == expected);
  CHECK_THROWS_WITH_AS(map(small_file(), "torchvison"), doctest::Contains("'torchvision'"),
                       UsageError);

  NamedTensors twice = with_prefix(small_file(), "model.");
  twice.emplace_back("model.layer_blocks.0.0.weight", filled({2, 2}, 3));
  twice.emplace_back("model.layer_blocks.0.1.weight", filled({2, 2}, 4));
  const Mapping revisiting = map(twice);
  CHECK(revisiting.fits());
  CHECK(revisiting.merged.size() == 2);
  CHECK(names_of(revisiting.tensors) == expected);
  twice.back().second = filled({2, 2}, 9);  // not the same weight
  CHECK(map(twice).extra == std::vector<std::string>{"layer_blocks.0.1.weight"});

  NamedTensors divided = small_file();
  divided.emplace_back("features.0.weight", filled({2, 3, 1, 1}, 1));
  divided.emplace_back("features.4.1.weight", filled({2, 2}, 4));
  CHECK(map(divided).fits());
  CHECK(map(divided).merged.size() == 2);

  NamedTensors flat = small_file();
  flat[1].second = filled({1, 2}, 2);  // batch norm as [1, c]
  CHECK(map(flat).fits());
  CHECK(map(flat).tensors[1].second.shape() == Shape{2});
}

TEST_CASE("mapping: old DenseNet names lose the dot below dense layers only") {
  const auto renamed = [](const std::string& name) {
    Draft draft({{name, filled({1}, 1)}}, nullptr);
    apply_rules("torchvision", draft);
    return draft.tensors()[0].first;
  };
  CHECK(renamed("features.denseblock1.denselayer12.norm.1.weight") ==
        "features.denseblock1.denselayer12.norm1.weight");
  CHECK(renamed("denselayer1.conv.2.weight") == "denselayer1.conv2.weight");
  for (const char* same :
       {"features.transition1.norm.weight", "denselayer.norm.1.weight", "denselayer1.norm.3.weight",
        "denselayer1.pool.1.weight", "denselayer1.norm.1.scale", "denselayer1x.norm.1.bias", ""})
    CHECK(renamed(same) == same);
}

TEST_CASE("convert: reads, maps, writes; the source is on record") {
  const testing::TemporaryFolder folder;
  NamedTensors tensors = small_file();
  write_safetensors(folder / "in.safetensors", {tensors, {}});
  ConvertOptions options;
  options.input = folder / "in.safetensors";
  options.net = small_net();
  options.metadata = {{"net", "small"}};
  const Converted converted = convert(options);
  write_converted(converted, folder / "out.safetensors");
  const SafeTensors found = read_safetensors(folder / "out.safetensors");
  CHECK(found.tensors.size() == 5);
  CHECK(found.text("net") == "small");
  CHECK(found.text("source") == "in.safetensors");
  CHECK(found.text("source.sha256").size() == 64);

  tensors.erase(tensors.begin());
  tensors.emplace_back("other", filled({1}, 1));
  write_safetensors(folder / "in.safetensors", {tensors, {}});
  CHECK_THROWS_WITH_AS(convert(options), doctest::Contains("2 of 6 tensors do not fit net 'small'"),
                       FormatError);
  options.lenient = true;
  CHECK(convert(options).mapping.tensors.size() == 4);
  tensors[1].second = filled({3}, 1);
  write_safetensors(folder / "in.safetensors", {tensors, {}});
  CHECK_THROWS_AS(convert(options), FormatError);  // never lenient about shapes
  CHECK(default_output("a/b.pth") == "a/b.safetensors");
  CHECK(default_output("a/b.pth.tar") == "a/b.safetensors");
  CHECK(default_output("a/b-52deb.4733") == "a/b-52deb.4733.safetensors");
  CHECK(default_output("folder/") == "folder.safetensors");
}

}  // namespace
}  // namespace dml::weights
