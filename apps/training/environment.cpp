#include "apps/training/environment.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>
#include <memory>
#include <thread>

#include "apps/app.hpp"
#include "engine/libraries.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

Json program_json() {
#ifdef NDEBUG
  const char* build = "release build";
#else
  const char* build = "debug build";
#endif
  return {{"name", "dml"},
          {"version", version()},
          {"build", build},
          {"compiler", fmt::format("GCC {}", __VERSION__)},
          {"source", DML_SOURCE_STATE}};
}

Json environment_json(const Device& device) {
  Json json;
  json["program"] = program_json();
  json["libraries"] = library_versions();
  json["device"] = {{"name", device.name()},
                    {"detail", backend_state(device.backend()).detail},
                    {"threads", device.threads()}};
  json["host"] = {{"name", host_name()},
                  {"processor", processor()},
                  {"cores", std::thread::hardware_concurrency()}};
  json["started"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  return json;
}

}  // namespace dml
