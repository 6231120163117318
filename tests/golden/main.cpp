// dmlgolden: runs reference vectors on every backend that is present.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/golden/compare.hpp"

namespace dml::golden {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> places;
  std::vector<std::string> backends;
  std::string filter, json;
  int threads = 0;
  bool verbose = false, list = false;
};

struct Outcome {
  std::string file, name, backend;
  Verdict verdict;
  double seconds = 0;
};

std::vector<fs::path> find_cases(const Options& options) {
  std::vector<fs::path> files;
  for (const std::string& place : options.places) {
    if (fs::is_regular_file(place)) {
      files.emplace_back(place);
    } else if (fs::is_directory(place)) {
      for (const auto& entry : fs::recursive_directory_iterator(place))
        if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    } else {
      throw DataError("no folder or file '" + place + "'");
    }
  }
  if (!options.filter.empty())
    std::erase_if(files, [&](const fs::path& file) {
      return file.string().find(options.filter) == std::string::npos;
    });
  std::sort(files.begin(), files.end());
  return files;
}

/// The handler of a case: the nearest folder above the file that has one for its op.
const Handler* find_handler(const fs::path& file, const std::string& op) {
  fs::path folder = fs::absolute(file).lexically_normal().parent_path();
  for (; folder.has_filename(); folder = folder.parent_path()) {
    const auto found = handlers().find({folder.filename().string(), op});
    if (found != handlers().end()) return &found->second;
  }
  return nullptr;
}

Verdict judge(const fs::path& file, Device& device) {
  try {
    const Case given = Case::read(file);
    const Handler* handler = find_handler(file, given.op());
    if (handler == nullptr) return {false, 0, "", "no handler for op '" + given.op() + "'"};
    const DType type = device.backend() == Backend::reference ? DType::f64 : DType::f32;
    Run run(given, device, type);
    (*handler)(run);
    run.finish();
    return compare(run);
  } catch (const std::exception& error) {
    std::string text = error.what();  // one line for a case
    std::replace(text.begin(), text.end(), '\n', ' ');
    return {false, 0, "", text};
  }
}

void print(const Outcome& one) {
  const Verdict& v = one.verdict;
  if (v.passed) {
    fmt::print("ok    {} [{}] {:.2g} at {}, {:.0f} ms\n", one.name, one.backend, v.worst, v.tensor,
               one.seconds * 1e3);
  } else {
    fmt::print("FAIL  {} [{}] {}{}{} (worst {:.3g})\n", one.name, one.backend, v.tensor,
               v.tensor.empty() ? "" : ": ", v.text, v.worst);
  }
}

void write_json(const std::string& path, const std::vector<Outcome>& outcomes) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Outcome& one : outcomes)
    rows.push_back({{"file", one.file},
                    {"backend", one.backend},
                    {"passed", one.verdict.passed},
                    {"worst", one.verdict.worst},
                    {"tensor", one.verdict.tensor},
                    {"error", one.verdict.text},
                    {"seconds", one.seconds}});
  std::ofstream out(path);
  out << rows.dump(1) << "\n";
  if (!out.flush()) throw DataError("cannot write " + path);
}

std::vector<Device> open_devices(const Options& options) {
  std::vector<Device> devices;
  if (options.backends.empty()) {
    for (const Backend backend : present_backends())
      devices.push_back(Device::open(name_of(backend), options.threads));
  }
  for (const std::string& name : options.backends)
    devices.push_back(Device::open(name, options.threads));
  return devices;
}

int run_all(const Options& options) {
  std::vector<Device> devices = open_devices(options);
  const std::vector<fs::path> files = find_cases(options);
  if (files.empty()) throw DataError("no .safetensors case found");
  std::vector<Outcome> outcomes;
  int passed = 0, failed = 0;
  for (const fs::path& file : files) {
    bool good = true;
    for (Device& device : devices) {
      const auto start = std::chrono::steady_clock::now();
      Outcome one{file.string(), (file.parent_path().filename() / file.stem()).string(),
                  device.name(), judge(file, device)};
      one.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      good = good && one.verdict.passed;
      if (options.verbose || !one.verdict.passed) print(one);
      outcomes.push_back(std::move(one));
    }
    ++(good ? passed : failed);
  }
  if (!options.json.empty()) write_json(options.json, outcomes);
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dml::golden

int main(int argc, char** argv) {
  dml::golden::Options options;
  CLI::App app{
      "Runs every .safetensors case below the given folders on every backend that is present: "
      "f64 on reference, f32 elsewhere."};
  app.add_option("places", options.places, "folders or files");
  app.add_option("--backend", options.backends, "reference, cpu, cuda; default: all present")
      ->delimiter(',');
  app.add_option("--filter", options.filter, "only files whose path contains this");
  app.add_option("--threads", options.threads, "of the cpu backend; 0: all cores");
  app.add_option("--json", options.json, "write all outcomes to this file");
  app.add_flag("--verbose,-v", options.verbose, "print the cases that pass as well");
  app.add_flag("--list", options.list, "list the definitions that have a handler and end");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.list) {
      for (const auto& [key, handler] : dml::golden::handlers())
        fmt::print("{}/{}\n", key.first, key.second);
      return 0;
    }
    return dml::golden::run_all(options);
  } catch (const dml::Error& error) {
    fmt::print(stderr, "dmlgolden: {}\n", error.what());
    return error.exit_code();
  }
}
