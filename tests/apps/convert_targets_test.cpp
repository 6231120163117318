#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"
#include "tests/weights_convert/onnx_file.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// A checkpoint with an embedding layer, and one without.
struct Trained {
  TempFolder folder;
  fs::path embedded = folder / "embedded/checkpoints/last.safetensors";
  fs::path plain = folder / "plain/checkpoints/last.safetensors";

  Trained() {
    const Outcome first =
        run("dmltrain", tiny_training(folder / "embedded", {"--steps", "1", "--embedding-dim", "16",
                                                            "--set", "head.normalize=maximum"}));
    REQUIRE_MESSAGE(first.status == 0, first.err);
    REQUIRE(run("dmltrain", tiny_training(folder / "plain", {"--steps", "1"})).status == 0);
  }
  Outcome convert(const fs::path& input, const std::string& to, const std::string& output,
                  std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {input.string(), "--to", to, "-o", (folder / output).string()});
    return run("convert_weights", more);
  }
};

const Trained& trained() {
  static const Trained both;
  return both;
}

}  // namespace

TEST_CASE("convert_weights: a checkpoint becomes an ONNX graph with its preprocessing") {
  const Trained& t = trained();
  const Outcome done = t.convert(t.embedded, "onnx", "net.onnx", {"--json"});
  REQUIRE_MESSAGE(done.status == 0, done.err);
  const auto json = nlohmann::json::parse(done.out);
  CHECK(json["graph"]["image_size"] == 32);
  CHECK(json["graph"]["features"] == 128);
  CHECK(json["graph"]["embedding"] == 16);
  const std::string bytes = dml::read_file(t.folder / "net.onnx");
  const dml::testing::OnnxFile file(bytes);
  CHECK(file.graph == "resnet18");
  CHECK(file.nodes.size() == json["graph"]["nodes"]);
  CHECK(file.inputs.at("images") == "batch,3,32,32");
  CHECK(file.outputs.at("embedding") == "batch,16");
  CHECK(file.metadata.at("input.order") == "rgb");
  CHECK(file.metadata.at("input.mean") == "0.485,0.456,0.406");
  CHECK(file.metadata.at("input.std") == "0.229,0.224,0.225");
  CHECK(file.metadata.at("input.size") == "32");
  CHECK(file.metadata.at("source.sha256") == dml::sha256_of_file(t.embedded));
  const dml::SafeTensors checkpoint = dml::read_safetensors(t.embedded);
  for (const auto& [name, tensor] : file.weights)
    if (const dml::Tensor* own = checkpoint.find(name))
      CHECK(std::equal(tensor.data<float>().begin(), tensor.data<float>().end(),
                       own->data<float>().begin()));
  CHECK(file.weights.contains("embedding.weight"));
  CHECK_FALSE(file.weights.contains("loss.classifier.weight"));
  // The same weights give the same bytes; without a name it is named after the input.
  CHECK(t.convert(t.embedded, "onnx", "again.onnx").status == 0);
  CHECK(dml::read_file(t.folder / "again.onnx") == bytes);
  fs::copy_file(t.plain, t.folder / "mine.safetensors");
  const Outcome named =
      run("convert_weights", {(t.folder / "mine.safetensors").string(), "--to", "onnx"});
  CHECK(named.status == 0);
  CHECK(named.out.find("mine.onnx: ") != std::string::npos);
  CHECK(named.out.find("features [batch, 128], embedding [batch, 128]") != std::string::npos);
}

TEST_CASE("convert_weights: an ONNX graph without all of its weights is refused") {
  const Trained& t = trained();
  dml::SafeTensors part = dml::read_safetensors(t.plain);
  std::erase_if(part.tensors, [](const auto& one) { return one.first == "layer2.0.bn1.bias"; });
  dml::write_safetensors(t.folder / "part.safetensors", part);
  const Outcome outcome = t.convert(t.folder / "part.safetensors", "onnx", "part.onnx");
  CHECK(outcome.status == 3);
  CHECK(outcome.err.find("layer2.0.bn1.bias") != std::string::npos);
  CHECK_FALSE(fs::exists(t.folder / "part.onnx"));
  part.metadata.erase("net");
  dml::write_safetensors(t.folder / "part.safetensors", part);
  const Outcome nameless = t.convert(t.folder / "part.safetensors", "onnx", "part.onnx");
  CHECK(nameless.status == 2);
  CHECK(nameless.err.find("--net NAME says it") != std::string::npos);
  const Outcome misspelt = t.convert(t.plain, "onxn", "x");
  CHECK(misspelt.status == 2);
  CHECK(misspelt.err.find("did you mean 'onnx'?") != std::string::npos);
}

TEST_CASE("convert_weights: pth-names keeps what PyTorch's net has, under its names") {
  const Trained& t = trained();
  // The classifier that a loss has learnt on the whole net's features; of the net, the first
  // layers.
  dml::SafeTensors from = dml::read_safetensors(t.plain);
  std::erase_if(from.tensors, [](const auto& one) {
    return one.first.rfind("layer", 0) == 0 || one.first.rfind("loss.", 0) == 0;
  });
  dml::Tensor weight({5, 512}, dml::DType::f32), bias({5}, dml::DType::f32);
  weight.data<float>()[7] = 7;
  from.tensors.emplace_back("loss.classifier.weight", weight);
  from.tensors.emplace_back("loss.classifier.bias", bias);
  from.tensors.emplace_back("loss.scale", bias);
  dml::write_safetensors(t.folder / "from.safetensors", from);
  const Outcome done = t.convert(t.folder / "from.safetensors", "pth-names", "names.safetensors");
  REQUIRE_MESSAGE(done.status == 0, done.err);
  CHECK(done.err.find("loss.scale") != std::string::npos);
  const dml::SafeTensors to = dml::read_safetensors(t.folder / "names.safetensors");
  for (const auto& [name, tensor] : to.tensors) CHECK(name.rfind("loss.", 0) != 0);
  CHECK(to.at("conv1.weight").shape() == dml::Shape{64, 3, 7, 7});
  CHECK(to.at("bn1.num_batches_tracked").dtype() == dml::DType::i64);
  CHECK(to.at("fc.weight").shape() == dml::Shape{5, 512});
  CHECK(to.at("fc.weight").data<float>()[7] == 7);
  CHECK(to.at("fc.bias").shape() == dml::Shape{5});
  CHECK(to.text("net") == "resnet18");
  // Of a loss on an embedding PyTorch's net has nothing; its tensors are named.
  const Outcome embedded = t.convert(t.embedded, "pth-names", "embedded.safetensors");
  CHECK(embedded.status == 0);
  CHECK(embedded.err.find("loss.classifier.weight") != std::string::npos);
  const dml::SafeTensors kept = dml::read_safetensors(t.folder / "embedded.safetensors");
  CHECK(kept.find("embedding.weight") != nullptr);
  CHECK(kept.find("fc.weight") == nullptr);
  from.metadata.clear();
  dml::write_safetensors(t.folder / "nameless.safetensors", from);
  const Outcome refused =
      t.convert(t.folder / "nameless.safetensors", "pth-names", "x.safetensors");
  CHECK(refused.status == 2);
  CHECK(refused.err.find("--net NAME says it") != std::string::npos);
}
