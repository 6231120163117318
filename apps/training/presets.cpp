#include "apps/training/presets.hpp"

#include <algorithm>

#include "engine/names.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

fs::path preset_folder() {
  std::error_code status;
  const fs::path program = fs::read_symlink("/proc/self/exe", status);
  const fs::path installed = program.parent_path().parent_path() / "share/dml/presets";
  if (!status && fs::is_directory(installed)) return installed;
  return DML_PRESET_DIR;
}

std::string name_of(const fs::path& file) {
  fs::path name = fs::relative(file, preset_folder());
  return name.replace_extension().generic_string();
}

/// Sets what the preset says of itself. False for a key that belongs to the configuration.
bool take_own(Preset& preset, const Given& given) {
  if (given.key == "preset.title") {
    preset.title = given.text;
  } else if (given.key == "preset.note") {
    preset.note = given.text;
  } else if (given.key == "preset.default_for_loss") {
    preset.default_for_loss = given.text;
  } else if (given.key == "preset.default_for_dataset") {
    preset.default_for_dataset = given.text;
  } else if (given.key == "expected.source") {
    preset.source = given.text;
  } else if (given.key.rfind("expected.", 0) == 0) {
    preset.expected.emplace_back(given.key.substr(9), std::stod(given.text));
  } else if (given.key.rfind("preset.", 0) == 0) {
    throw FormatError(given.origin + ": [preset] has no '" + given.key.substr(7) + "'");
  } else {
    return false;
  }
  return true;
}

Preset read_preset(const fs::path& file) {
  Preset preset;
  preset.name = name_of(file);
  preset.file = file;
  for (Given& given : read_toml(file, Layer::preset, "preset " + preset.name))
    if (!take_own(preset, given)) preset.values.push_back(std::move(given));
  preset.values.push_back({"preset", preset.name, "preset " + preset.name, Layer::preset});
  return preset;
}

}  // namespace

std::string Preset::dataset() const {
  for (const Given& given : values)
    if (given.key == "dataset" || given.key == "dataset.name") return given.text;
  return "";
}

std::vector<Preset> all_presets() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(preset_folder()))
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Preset> presets;
  for (const fs::path& file : files) presets.push_back(read_preset(file));
  return presets;
}

Preset find_preset(const std::string& name) {
  std::vector<std::string> known;
  for (Preset& preset : all_presets()) {
    if (canonical(preset.name) == canonical(name)) return std::move(preset);
    known.push_back(preset.name);
  }
  throw UsageError("no preset named '" + name + "'" + suggestion(name, known));
}

Preset default_preset(const std::string& loss, const std::string& dataset) {
  Preset best;
  for (Preset& preset : all_presets()) {
    if (preset.default_for_loss != loss) continue;
    if (preset.default_for_dataset == dataset) return std::move(preset);
    if (preset.default_for_dataset.empty() && best.name.empty()) best = std::move(preset);
  }
  return best;
}

}  // namespace dml
