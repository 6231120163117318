#include "engine/preprocessing.hpp"

#include <nlohmann/json.hpp>

#include "engine/error.hpp"

namespace dml {

std::string to_json(const Preprocessing& preprocessing) {
  const nlohmann::json json{{"order", preprocessing.order == Channels::bgr ? "bgr" : "rgb"},
                            {"scale", preprocessing.scale},
                            {"mean", preprocessing.mean},
                            {"std", preprocessing.std}};
  return json.dump();
}

Preprocessing preprocessing_from_json(const std::string& text) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    const auto order = json.at("order").get<std::string>();
    if (order != "rgb" && order != "bgr")
      throw FormatError("preprocessing: order '" + order + "' is neither rgb nor bgr");
    return {.order = order == "bgr" ? Channels::bgr : Channels::rgb,
            .scale = json.at("scale").get<double>(),
            .mean = json.at("mean").get<std::array<double, 3>>(),
            .std = json.at("std").get<std::array<double, 3>>()};
  } catch (const nlohmann::json::exception& error) {
    throw FormatError("preprocessing: '" + text +
                      "' is not {\"order\", \"scale\", \"mean\", \"std\"}: " + error.what());
  }
}

}  // namespace dml
