#include "apps/training/model_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/names.hpp"

namespace dml {
namespace {

std::string text(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

/// What classifiers are called in files of weights, without the ending.
constexpr std::array classifier_names = {"fc.", "last_linear.", "classifier."};

bool is_classifier(const std::string& name) {
  for (const char* one : classifier_names)
    if (name.rfind(one, 0) == 0 || name.find("." + std::string(one)) != std::string::npos)
      return true;
  return false;
}

std::string misfit_text(const WeightReport& report, std::size_t tensors, const std::string& name,
                        const std::string& net) {
  return fmt::format("{}: {} of {} tensors do not fit net '{}'{}", name, report.misfits.size(),
                     tensors, net, report.misfit_lines(6));
}

/// The classifier of a loss takes the one of the file, whatever that calls it, if the shapes agree.
SafeTensors with_classifier(const SafeTensors& file, ParameterStore& store) {
  SafeTensors result = file;
  for (const auto& [name, tensor] : file.tensors)
    for (const char* one : classifier_names) {
      if (name.rfind(one, 0) != 0) continue;
      const std::string own = "loss.classifier." + name.substr(std::string(one).size());
      const Parameter* parameter = store.find(own);
      if (parameter != nullptr && file.find(own) == nullptr && store.find(name) == nullptr &&
          parameter->file_shape() == tensor.shape())
        result.tensors.emplace_back(own, tensor);
    }
  return result;
}

HeadOptions head_options(const Metadata& metadata) {
  HeadOptions head = read<HeadOptions>(settings_from_json(text(metadata, "head.options")));
  if (text(metadata, "head.options").empty() && !text(metadata, "embedding_dim").empty())
    head.dim = std::stoll(text(metadata, "embedding_dim"));
  return head;
}

/// The loss that a checkpoint was written with, if it holds tensors of it.
std::unique_ptr<Loss> loss_of(const SafeTensors& file, const Model& model, const Scope& scope) {
  const std::string name = text(file.metadata, "loss"), classes = text(file.metadata, "classes");
  const bool held = std::any_of(file.tensors.begin(), file.tensors.end(),
                                [](const auto& one) { return one.first.rfind("loss.", 0) == 0; });
  if (name.empty() || classes.empty() || !held) return nullptr;
  return Registry<Loss>::make(name, settings_from_json(text(file.metadata, "loss.options")),
                              {.scope = scope / "loss",
                               .dim = model.dim(),
                               .features = model.width(),
                               .classes = std::stoll(classes),
                               .classifier = model.net().classifier_init(model.dim())});
}

}  // namespace

std::string settings_to_json(const Settings& settings) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : settings) json[name] = value;
  return json.dump();
}

Settings settings_from_json(const std::string& json_text) {
  Settings settings;
  if (json_text.empty()) return settings;
  const auto json = nlohmann::json::parse(json_text, nullptr, false);
  if (!json.is_object())
    throw FormatError("options in the metadata are no JSON object: " + json_text);
  for (const auto& [name, value] : json.items())
    settings[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return settings;
}

Preprocessing preprocessing_of(const Metadata& metadata, const Net& net) {
  const std::string given = text(metadata, "preprocessing");
  return given.empty() ? net.preprocessing() : preprocessing_from_json(given);
}

LoadedModel load_model(Device& device, const std::filesystem::path& file, const std::string& net) {
  return load_model(device, read_safetensors(file), file.string(), net);
}

LoadedModel load_model(Device& device, const SafeTensors& contents, const std::string& name,
                       const std::string& net) {
  LoadedModel loaded;
  loaded.metadata = contents.metadata;
  const std::string own = text(contents.metadata, "net");
  if (own.empty() && net.empty())
    throw UsageError(name + " does not say which net it belongs to\n  --net NAME says it");
  loaded.net = Registry<Net>::find(net.empty() ? own : net).about.name;
  if (!own.empty() && canonical(own) != canonical(loaded.net))
    throw UsageError(fmt::format("{} is of net '{}', --net says '{}'", name, own, net));
  loaded.store = std::make_unique<ParameterStore>(device);
  loaded.model = std::make_unique<Model>(
      Model::make(loaded.net, settings_from_json(text(contents.metadata, "net.options")),
                  head_options(contents.metadata), Scope(*loaded.store)));
  loaded.loss = loss_of(contents, *loaded.model, Scope(*loaded.store));
  loaded.preprocessing = preprocessing_of(contents.metadata, loaded.model->net());
  loaded.report = load_weights(contents, *loaded.store);
  if (!loaded.report.misfits.empty())
    throw FormatError(misfit_text(loaded.report, contents.tensors.size(), name, loaded.net));
  if (loaded.report.loaded == 0)
    throw FormatError(fmt::format("{} holds none of the tensors of net '{}'", name, loaded.net));
  return loaded;
}

WeightReport start_from(const SafeTensors& file, ParameterStore& store, const std::string& name,
                        const std::string& net, const std::string& classifier) {
  const std::string own = file.text("net");
  if (!own.empty() && canonical(own) != canonical(net))
    throw FormatError(
        fmt::format("{} holds weights of net '{}', and this run trains '{}'\n  "
                    "--net {} would fit, or other --weights",
                    name, own, net, own));
  WeightReport report = load_weights(with_classifier(file, store), store);
  WeightReport wrong = report;
  std::erase_if(wrong.misfits, [](const auto& misfit) { return is_classifier(misfit.name); });
  if (!wrong.misfits.empty()) throw FormatError(misfit_text(wrong, file.tensors.size(), name, net));
  if (report.loaded == 0)
    throw FormatError(
        fmt::format("{} holds none of the {} tensors of net '{}'; its first names: {}", name,
                    store.all().size(), net, WeightReport::name_list(report.extra, 4)));
  std::erase_if(report.extra, [&](const std::string& extra) {
    return is_classifier(extra) || extra.rfind(classifier + ".", 0) == 0;
  });
  return report;
}

}  // namespace dml
