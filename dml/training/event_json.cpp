#include <cmath>
#include <nlohmann/json.hpp>

#include "dml/training/sinks.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN and no infinity; null stands for them.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json object(const Figures& figures) {
  Json json = Json::object();
  for (const auto& [name, value] : figures) json[name] = number(value);
  return json;
}

void fill(Json& json, const RunStarted& run) {
  json["event"] = "start";
  json["step"] = run.step;
  json["epoch"] = run.epoch;
  json["steps"] = run.steps;
  json["epochs"] = run.epochs;
}
void fill(Json& json, const StepDone& step) {
  json["event"] = "step";
  json["step"] = step.step;
  json["epoch"] = step.epoch;
  json["loss"] = number(step.loss);
  json["grad_norm"] = number(step.grad_norm);
  json["lr"] = number(step.learning_rate);
  json["images"] = step.images;
  for (const auto& [name, value] : step.parts) json[name] = number(value);
}
void fill(Json& json, const EpochDone& epoch) {
  json["event"] = "epoch";
  json["step"] = epoch.step;
  json["epoch"] = epoch.epoch;
  json["loss"] = number(epoch.loss);
  json["lr"] = number(epoch.learning_rate);
  json["images"] = epoch.images;
  if (!epoch.metrics.empty()) {
    json["split"] = epoch.split;
    json["metrics"] = object(epoch.metrics);
  }
}
void fill(Json& json, const EvalDone& eval) {
  json["event"] = "eval";
  json["step"] = eval.step;
  json["epoch"] = eval.epoch;
  json["split"] = eval.split;
  json["images"] = eval.images;
  json["metrics"] = object(eval.metrics);
}
void fill(Json& json, const CheckpointWritten& checkpoint) {
  json["event"] = "checkpoint";
  json["step"] = checkpoint.step;
  json["epoch"] = checkpoint.epoch;
  json["file"] = checkpoint.file.string();
}
void fill(Json& json, const Warning& warning) {
  json["event"] = "warning";
  json["text"] = warning.text;
}
void fill(Json& json, const Notice& notice) {
  json["event"] = "notice";
  json["text"] = notice.text;
}
void fill(Json& json, const RunEnded& end) {
  json["event"] = "end";
  json["step"] = end.step;
  json["epoch"] = end.epoch;
  json["interrupted"] = end.interrupted;
}

}  // namespace

std::string json_of(const Event& event, double seconds) {
  Json json;
  json["t"] = std::round(seconds * 1000) / 1000;
  std::visit([&](const auto& one) { fill(json, one); }, event);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dml
