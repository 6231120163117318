#include "apps/common/weight_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/training/model_file.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

constexpr std::int64_t side = 224;
constexpr std::size_t most_values = 64;

/// Random pixels over a slow wave, which reach every channel of a net, as the loader would hand
/// them over.
Tensor fixed_picture(const Preprocessing& p) {
  Tensor image = Tensor::empty({1, side, side, 3}, DType::f32);
  const Random random(1, Purpose::render);
  const auto pixels = image.data<float>();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t k = i % 3;
    const double wave = std::sin(0.05 * static_cast<double>(i / 3 % side) + static_cast<double>(k));
    const double pixel = 127.5 + 60 * wave + 60 * (random.uniform_float(i) - 0.5);
    pixels[i] = static_cast<float>((p.scale * pixel - p.mean[k]) / p.std[k]);
  }
  return image;
}

}  // namespace

std::string FixedFeatures::to_json() const {
  return nlohmann::json{{"length", length}, {"values", values}}.dump();
}

FixedFeatures FixedFeatures::from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  FixedFeatures result;
  try {
    json.at("length").get_to(result.length);
    json.at("values").get_to(result.values);
  } catch (const nlohmann::json::exception&) {
    throw FormatError(std::string(metadata_key) + " in the metadata of the weights is malformed");
  }
  return result;
}

FixedFeatures fixed_features(const SafeTensors& weights, const std::string& name,
                             const std::string& stage) {
  Device device = Device::open("cpu", 0);
  const LoadedModel loaded = load_model(device, weights, name, "");
  const auto tape = Tape::infer(device);
  const Var images = tape->input(fixed_picture(loaded.preprocessing));
  const Var features = stage.empty() ? (*loaded.model)(images).features
                                     : loaded.model->stage_features(images, stage);
  const Tensor all = device.dense(features.value()).to_host().to(DType::f64);
  const auto values = all.data<double>();
  FixedFeatures result;
  for (const double value : values) result.length += value * value;
  result.length = std::sqrt(result.length);
  const std::size_t count = std::min(most_values, values.size());
  for (std::size_t i = 0; i < count; ++i)
    result.values.push_back(values[i * values.size() / count]);
  return result;
}

double apart(const FixedFeatures& found, const FixedFeatures& stored) {
  constexpr double never = std::numeric_limits<double>::infinity();
  if (found.values.size() != stored.values.size() || !(stored.length > 0)) return never;
  double most = std::abs(found.length - stored.length);
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    if (!std::isfinite(found.values[i])) return never;
    most = std::max(most, std::abs(found.values[i] - stored.values[i]));
  }
  return most / stored.length;
}

}  // namespace dml
