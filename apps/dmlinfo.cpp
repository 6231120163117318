#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/common/records.hpp"
#include "apps/common/runs.hpp"
#include "apps/training/environment.hpp"
#include "apps/training/schema.hpp"
#include "engine/kernel.hpp"
#include "engine/libraries.hpp"

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array backends = {dml::Backend::reference, dml::Backend::cpu, dml::Backend::cuda};

std::vector<const dml::KernelBase*> sorted_kernels() {
  std::vector<const dml::KernelBase*> kernels = dml::KernelBase::all();
  std::sort(kernels.begin(), kernels.end(),
            [](const auto* a, const auto* b) { return std::string(a->name()) < b->name(); });
  return kernels;
}

Json info() {
  Json json;
  json["program"] = dml::program_json();
  json["libraries"] = dml::library_versions();
  for (const dml::Backend backend : backends) {
    const dml::BackendState state = dml::backend_state(backend);
    json["backends"][dml::name_of(backend)] = {
        {"built", state.built}, {"present", state.present}, {"detail", state.detail}};
  }
  for (const dml::KernelBase* kernel : sorted_kernels())
    for (const dml::Backend backend : backends)
      if (kernel->has(backend)) json["kernels"][kernel->name()].push_back(dml::name_of(backend));
  return json;
}

std::string text_of(const Json& info, bool verbose) {
  std::string text =
      fmt::format("dml {}, {}, {}\n", dml::version(), info["program"]["build"].get<std::string>(),
                  info["program"]["compiler"].get<std::string>());
  text += "libraries ";
  for (const auto& [name, version] : dml::library_versions())
    text += fmt::format("  {} {}", name, version);
  text += "\nbackends\n";
  for (const dml::Backend backend : backends) {
    const dml::BackendState state = dml::backend_state(backend);
    const char* presence = !state.built    ? "not in this build"
                           : state.present ? "ready"
                                           : "no device";
    text += fmt::format("  {:<10} {:<18} {}\n", dml::name_of(backend), presence, state.detail);
  }
  std::map<std::string, int> filled;
  for (const dml::KernelBase* kernel : sorted_kernels())
    for (const dml::Backend backend : backends)
      if (kernel->has(backend)) ++filled[dml::name_of(backend)];
  text += fmt::format("kernels    {} reference, {} cpu (the others run the reference), {} cuda\n",
                      filled["reference"], filled["cpu"], filled["cuda"]);
  if (!verbose) return text + "           --verbose lists them\n";
  for (const auto& [name, slots] : info["kernels"].items()) {
    text += fmt::format("  {:<36}", name);
    for (const auto& slot : slots) text += " " + slot.get<std::string>();
    text += "\n";
  }
  return text;
}

/// A published file of ImageNet weights. The eight digits in its name begin its SHA-256.
struct PublishedWeights {
  const char* net;
  const char* url;
};
constexpr const char* torch_models = "https://download.pytorch.org/models/";
constexpr std::array published = {
    PublishedWeights{"resnet18", "resnet18-f37072fd.pth"},
    PublishedWeights{"resnet34", "resnet34-b627a593.pth"},
    PublishedWeights{"resnet50", "resnet50-0676ba61.pth"},
    PublishedWeights{"resnet101", "resnet101-63fe2227.pth"},
    PublishedWeights{"resnet152", "resnet152-394f9c45.pth"},
    PublishedWeights{"densenet121", "densenet121-a639ec97.pth"},
    PublishedWeights{"densenet161", "densenet161-8d451a50.pth"},
    PublishedWeights{"densenet169", "densenet169-b2777c0a.pth"},
    PublishedWeights{"densenet201", "densenet201-c1103571.pth"},
    PublishedWeights{"bn_inception",
                     "http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth"}};

std::string weights_text(bool as_json) {
  Json json = Json::array();
  std::string text;
  for (const PublishedWeights& one : published) {
    const std::string file = one.url;
    const std::string url = file.find("://") == std::string::npos ? torch_models + file : file;
    json.push_back({{"net", one.net}, {"url", url}});
    text += fmt::format("{:<14} {}\n", one.net, url);
  }
  return as_json ? dml::json_text({{"weights", json}})
                 : text + "  convert_weights FILE --net NAME makes what --weights wants\n";
}

/// What the user asked for.
struct Asked {
  std::string topic, folder = "runs";
  dml::RunListing runs;
};

std::string runs_text(const Asked& asked, bool as_json) {
  const std::vector<dml::RunSummary> found = dml::ordered(dml::find_runs(asked.folder), asked.runs);
  if (as_json) return dml::runs_json(found);
  if (found.empty())
    return asked.folder + ": no run" +
           (asked.runs.filter.empty() ? "" : " with '" + asked.runs.filter + "' in its name");
  return dml::runs_table(found);
}

/// The text of `dmlinfo TOPIC`. @throws UsageError
std::string topic_text(const Asked& asked, bool as_json) {
  if (asked.topic == "weights") return weights_text(as_json);
  if (asked.topic == "presets") return dml::component_list("presets", as_json);
  if (asked.topic == "runs") return runs_text(asked, as_json);
  throw dml::UsageError("nothing is known of '" + asked.topic + "'" +
                        dml::suggestion(asked.topic, {"weights", "presets", "runs"}));
}

}  // namespace

int main(int argc, char** argv) {
  Asked asked;
  return dml::run_tool(
      argc, argv,
      {.name = "dmlinfo",
       .summary = "says what is in this build: libraries, devices, kernels; and how runs did",
       .examples = {"dmlinfo", "dmlinfo --verbose", "dmlinfo weights", "dmlinfo presets --json",
                    "dmlinfo runs", "dmlinfo runs runs/cub --filter 'seed[12]' --sort map@r"},
       .flags =
           [&](CLI::App& app) {
             app.add_option("TOPIC", asked.topic,
                            "weights: published files; presets: published experiments; runs: "
                            "those in a folder, the best first");
             app.add_option("FOLDER", asked.folder, "of the runs, looked through to its depth")
                 ->capture_default_str();
             app.add_option("--filter", asked.runs.filter,
                            "runs whose name this regular expression is found in")
                 ->type_name("REGEX");
             app.add_option("--sort", asked.runs.sort,
                            "the metric that orders runs; without, the one that chose their epochs")
                 ->type_name("METRIC");
           },
       .run =
           [&](const dml::Terminal& terminal) {
             if (!asked.topic.empty()) {
               terminal.print(topic_text(asked, terminal.json));
               return 0;
             }
             const Json json = info();
             terminal.print(terminal.json ? dml::json_text(json) : text_of(json, terminal.verbose));
             return 0;
           }});
}
