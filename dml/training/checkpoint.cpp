#include "dml/training/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/schema.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

bool is_counter(const std::string& name) {
  const std::string ending = "num_batches_tracked";
  return name.size() >= ending.size() &&
         name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

/// [1, c] in a file is taken for [c]: old files keep batch norm so.
bool fits(const Shape& file, const Shape& model) {
  if (file == model) return true;
  return model.size() == 1 && file.size() == 2 && file[0] == 1 && file[1] == model[0];
}

std::int64_t whole(const SafeTensors& file, const std::string& key) {
  const std::string text = file.text(key);
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc() || end != text.data() + text.size())
    throw FormatError("the state of the run has no number '" + key + "'");
  return value;
}

double real(const SafeTensors& file, const std::string& key) {
  const std::string text = file.text(key);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc() || end != text.data() + text.size())
    throw FormatError("the state of the run has no number '" + key + "'");
  return value;
}

constexpr const char* text_prefix = "text.";

}  // namespace

SafeTensors weights_of(const ParameterStore& store, Metadata metadata) {
  SafeTensors file;
  for (const Parameter& parameter : store.all())
    file.tensors.emplace_back(parameter.name, parameter.to_file());
  file.metadata = std::move(metadata);
  return file;
}

std::string WeightReport::misfit_lines(std::size_t most) const {
  std::string lines;
  for (std::size_t i = 0; i < std::min(most, misfits.size()); ++i)
    lines += fmt::format("\n  {}  file {}, net {}", misfits[i].name, to_string(misfits[i].file),
                         to_string(misfits[i].model));
  if (misfits.size() > most) lines += fmt::format("\n  and {} more", misfits.size() - most);
  return lines;
}

std::string WeightReport::name_list(const std::vector<std::string>& names, std::size_t most) {
  std::string list;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i)
    list += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) list += fmt::format(" and {} more", names.size() - most);
  return list;
}

WeightReport load_weights(const SafeTensors& file, ParameterStore& store) {
  WeightReport report;
  for (Parameter& parameter : store.all()) {
    const Tensor* found = file.find(parameter.name);
    if (found == nullptr) {
      if (!is_counter(parameter.name)) report.missing.push_back(parameter.name);
      continue;
    }
    if (!fits(found->shape(), parameter.file_shape())) {
      report.misfits.push_back({parameter.name, found->shape(), parameter.file_shape()});
      continue;
    }
    parameter.from_file(*found, store.device());
    ++report.loaded;
  }
  for (const auto& [name, tensor] : file.tensors)
    if (store.find(name) == nullptr && !is_counter(name)) report.extra.push_back(name);
  return report;
}

void load_all_weights(const SafeTensors& file, ParameterStore& store, const std::string& name) {
  const WeightReport report = load_weights(file, store);
  if (!report.misfits.empty())
    throw FormatError(fmt::format("{}: {} tensors do not fit this model{}", name,
                                  report.misfits.size(), report.misfit_lines(6)));
  if (!report.missing.empty())
    throw FormatError(fmt::format("{}: {} tensors of this model are missing: {}", name,
                                  report.missing.size(),
                                  WeightReport::name_list(report.missing, 6)));
}

SafeTensors TrainingState::to_file() const {
  SafeTensors file;
  file.tensors = tensors;
  file.metadata = {{"dml.format", "state 1"},
                   {"epoch", std::to_string(epoch)},
                   {"step", std::to_string(step)},
                   {"step_in_epoch", std::to_string(step_in_epoch)},
                   {"loss_sum", schema::text_of(loss_sum)},
                   {"images", std::to_string(images)},
                   {"best", schema::text_of(best)},
                   {"best_epoch", std::to_string(best_epoch)}};
  for (const auto& [key, text] : texts) file.metadata[text_prefix + key] = text;
  return file;
}

TrainingState TrainingState::from_file(const SafeTensors& file) {
  TrainingState state;
  state.epoch = whole(file, "epoch");
  state.step = whole(file, "step");
  state.step_in_epoch = whole(file, "step_in_epoch");
  state.loss_sum = real(file, "loss_sum");
  state.images = whole(file, "images");
  state.best = real(file, "best");
  state.best_epoch = whole(file, "best_epoch");
  const std::string prefix = text_prefix;
  for (const auto& [key, text] : file.metadata)
    if (key.rfind(prefix, 0) == 0) state.texts[key.substr(prefix.size())] = text;
  state.tensors = file.tensors;
  return state;
}

CheckpointPair::CheckpointPair(fs::path folder, const std::string& name)
    : weights_(folder / (name + ".safetensors")),
      state_(folder / (name + ".state")),
      new_weights_(folder / (name + ".safetensors.new")),
      new_state_(folder / (name + ".state.new")) {}

/// Both files are complete under new names before the first rename. Killed before it, the old pair
/// stands; killed between the two, the new state stands beside the old weights, and the new weights
/// wait under their new name: read_state() finishes the second rename.
void CheckpointPair::write(const SafeTensors& weights, const TrainingState& state) const {
  write_safetensors(new_weights_, weights);
  try {
    write_safetensors(new_state_, state.to_file());
  } catch (...) {
    std::error_code none;
    fs::remove(new_weights_, none);  // on a full disk above all
    throw;
  }
  fs::rename(new_state_, state_);
  fs::rename(new_weights_, weights_);
}

bool CheckpointPair::exists() const { return fs::exists(state_) && fs::exists(weights_); }

TrainingState CheckpointPair::read_state() const {
  const SafeTensors file = read_safetensors(state_);
  const TrainingState state = TrainingState::from_file(file);
  const auto belongs = [&](const fs::path& weights) {
    Metadata metadata;
    if (!fs::exists(weights)) return false;
    list_safetensors(weights, &metadata);
    const auto step = metadata.find("step");
    return step != metadata.end() && step->second == std::to_string(state.step);
  };
  if (!belongs(weights_) && belongs(new_weights_)) fs::rename(new_weights_, weights_);
  if (!belongs(weights_))
    throw FormatError(weights_.string() + " does not belong to " + state_.string() +
                      "\n  weights and state are of different steps; --resume best or a FILE may "
                      "still go on");
  fs::remove(new_weights_);
  fs::remove(new_state_);
  return state;
}

}  // namespace dml
