#include "apps/common/onnx_export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/app.hpp"
#include "apps/training/model_file.hpp"
#include "weights_convert/onnx/translate.hpp"

namespace dml {
namespace {

constexpr std::int64_t usual_size = 224;

/// A file from elsewhere may have an embedding layer without a word on its head.
void assume_head(SafeTensors& weights, OnnxExport& result) {
  const Tensor* embedding = weights.find("embedding.weight");
  if (embedding == nullptr || embedding->rank() != 2 || weights.metadata.contains("head.options") ||
      weights.metadata.contains("embedding_dim"))
    return;
  weights.metadata["embedding_dim"] = std::to_string(embedding->dim(0));
  result.notes.push_back(
      "the file does not say how its head pools and normalises: the mean of the map goes into the "
      "embedding layer, whose result is not normalised");
}

std::int64_t size_of(const SafeTensors& weights) {
  const std::string text = weights.text("image_size");
  return text.empty() ? usual_size : std::stoll(text);
}

void require_all(const LoadedModel& loaded, const std::string& name) {
  if (loaded.report.missing.empty()) return;
  throw FormatError(
      fmt::format("{}: {} tensors of net '{}' are not there, and a graph needs them "
                  "all: {}",
                  name, loaded.report.missing.size(), loaded.net,
                  WeightReport::name_list(loaded.report.missing, 4)));
}

/// The parameter that a constant of the pass is, by its place in memory.
onnx::WeightOf weights_of(const ParameterStore& store) {
  return [&store](const Tensor& constant) -> std::pair<std::string, Tensor> {
    for (const Parameter& one : store.all())
      if (one.value.shares_memory(constant) && one.value.offset() == constant.offset() &&
          one.value.shape() == constant.shape())
        return {one.name, one.to_file()};
    return {};
  };
}

/// The preprocessing one by one, for programs that parse no JSON.
void add_input(Metadata& metadata, const Preprocessing& p, std::int64_t size) {
  metadata["preprocessing"] = to_json(p);
  metadata["input.order"] = p.order == Channels::rgb ? "rgb" : "bgr";
  metadata["input.scale"] = fmt::format("{}", p.scale);
  metadata["input.mean"] = fmt::format("{}", fmt::join(p.mean, ","));
  metadata["input.std"] = fmt::format("{}", fmt::join(p.std, ","));
  metadata["input.size"] = std::to_string(size);
  metadata["input.rule"] =
      "images[n, k, y, x] = (scale * pixel[order[k]] - mean[k]) / std[k], pixels of 0 to 255";
}

/// What retrieval compares. A loss may have a part in it that cannot be written down.
Var embedding_of(const LoadedModel& loaded, const Var& embedding, const std::string& name) {
  if (!loaded.loss) return embedding;
  try {
    return loaded.loss->embed(embedding);
  } catch (const UsageError& error) {
    throw UsageError(fmt::format(
        "{}: the loss has a part in retrieval that ONNX cannot have: {}\n  --net {} writes net and "
        "head alone",
        name, error.what(), loaded.net));
  }
}

}  // namespace

OnnxExport export_onnx(SafeTensors weights, const std::string& name,
                       const std::filesystem::path& output) {
  OnnxExport result;
  assume_head(weights, result);
  Device device = Device::open("cpu", 0);
  const LoadedModel loaded = load_model(device, weights, name, "");
  require_all(loaded, name);
  result.size = size_of(weights);
  Trace trace;
  const auto tape = Tape::trace(device, trace);
  const Var images = tape->variable(Tensor({1, result.size, result.size, 3}, DType::f32));
  const Outputs outputs = (*loaded.model)(images);
  const Var embedding = embedding_of(loaded, outputs.embedding, name);
  onnx::Model model =
      onnx::translate(trace,
                      {{"images", images.node()},
                       {{"features", outputs.features.node()}, {"embedding", embedding.node()}}},
                      weights_of(*loaded.store));
  model.name = loaded.net;
  model.metadata = weights.metadata;
  add_input(model.metadata, loaded.preprocessing, result.size);
  onnx::write_onnx(output, model, "dml", version());
  result.nodes = model.nodes.size();
  result.weights = model.weights.size();
  result.features = outputs.features.dim(1);
  result.dim = embedding.dim(1);
  return result;
}

}  // namespace dml
