#include "nets/net.hpp"

#include <algorithm>
#include <cmath>

namespace dml {

BatchNormMode batch_norm_mode(const std::string& name) {
  const std::string word = canonical(name);
  for (const BatchNormMode mode :
       {BatchNormMode::live, BatchNormMode::frozen_statistics, BatchNormMode::frozen})
    if (canonical(name_of(mode)) == word) return mode;
  throw UsageError("batch norm cannot be '" + name + "'" +
                   suggestion(name, {"live", "frozen_statistics", "frozen"}));
}

const char* name_of(BatchNormMode mode) {
  switch (mode) {
    case BatchNormMode::live:
      return "live";
    case BatchNormMode::frozen_statistics:
      return "frozen_statistics";
    case BatchNormMode::frozen:
      return "frozen";
  }
  return "?";
}

void NormState::set(BatchNormMode mode) {
  mode_ = mode;
  for (Parameter* parameter : parameters_) parameter->trainable = mode != BatchNormMode::frozen;
}

bool StageMaps::wants(const std::string& stage) const {
  return std::find(wanted_.begin(), wanted_.end(), stage) != wanted_.end();
}

bool StageMaps::note(const std::string& stage, const Var& map) {
  if (wants(stage)) found_[stage] = map;
  return !wanted_.empty() && found_.size() == wanted_.size();
}

Var Net::operator()(const Var& images) {
  const std::string last = stages_.back().name;
  return maps(images, {last}).at(last);
}

Var Net::stage(const Var& images, const std::string& name) { return maps(images, {name}).at(name); }

std::map<std::string, Var> Net::maps(const Var& images, const std::vector<std::string>& names) {
  DML_CHECK(images.rank() == 4 && images.dim(3) == 3,
            "a net reads images of shape [n, h, w, 3], found " + to_string(images.shape()));
  check_input(images.dim(1), images.dim(2));
  std::vector<std::string> wanted;  // without repetitions
  for (const std::string& name : names) {
    width(name);
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) wanted.push_back(name);
  }
  StageMaps maps(wanted);
  const Var last = forward(images, maps);
  maps.note(stages_.back().name, last);
  return maps.found();
}

std::int64_t Net::width(const std::string& stage) const {
  std::vector<std::string> names;
  for (const Stage& one : stages_) {
    if (one.name == stage) return one.width;
    names.push_back(one.name);
  }
  throw UsageError("the net has no stage named '" + stage + "'" + suggestion(stage, names));
}

Preprocessing Net::preprocessing() const {
  return {.order = Channels::rgb,
          .scale = 1.0 / 255,
          .mean = {0.485, 0.456, 0.406},
          .std = {0.229, 0.224, 0.225}};
}

void Net::check_input(std::int64_t h, std::int64_t w) const {
  DML_CHECK(h >= 1 && w >= 1, "images of " + std::to_string(h) + " x " + std::to_string(w) +
                                  " pixels cannot pass through the net");
}

LinearInit Net::classifier_init(std::int64_t in) const {
  const Init uniform = init::uniform(1 / std::sqrt(static_cast<double>(in)));
  return {uniform, uniform};
}

}  // namespace dml
