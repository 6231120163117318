#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/training/environment.hpp"
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

}  // namespace

int main(int argc, char** argv) {
  return dml::run_tool(
      argc, argv,
      {.name = "dmlinfo",
       .summary = "says what is in this build: libraries, devices, kernels",
       .examples = {"dmlinfo", "dmlinfo --verbose", "dmlinfo --json"},
       .flags = {},
       .run = [](const dml::Terminal& terminal) {
         const Json json = info();
         terminal.print(terminal.json ? json.dump(2) : text_of(json, terminal.verbose));
         return 0;
       }});
}
