#include "engine/config.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

dml::ConfigSchema schema() {
  return {.fields = {{"batch_size", "integer", "32", "images", {1, 1e6}, ""},
                     {"rate", "number", "0.1", "rate", {0, 1}, ""},
                     {"metrics", "text", "recall@1", "list", {}, ""},
                     {"mode", "text", "a", "one of", {}, "a|b"},
                     {"overwrite", "flag", "false", "replace", {}, ""}},
          .components = {},
          .tables = {{"groups",
                      [](const dml::Settings&, const dml::Config&) {
                        return std::vector<dml::FieldInfo>{{"lr", "number", "", "", {0, 10}, ""}};
                      }}},
          .aliases = {{"b", "batch_size"}}};
}

}  // namespace

DML_FUZZ(bytes) {
  const dml::Config config =
      dml::Config::resolve(schema(), dml::parse_toml(bytes, dml::Layer::file, "case"));
  // What is written reads back to the same.
  const dml::Config again = dml::Config::resolve(
      schema(), dml::parse_toml(config.to_toml(), dml::Layer::file, "written"));
  if (again.to_toml() != config.to_toml()) __builtin_trap();
}
