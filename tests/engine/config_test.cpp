#include "engine/config.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace dml;

namespace {

std::vector<FieldInfo> options_of(const std::string& name) {
  if (name == "group")
    return {{"temperature", "number", "24", "softens the prior", {1e-3, 1e4}, ""},
            {"iterations", "integer", "1", "steps of the dynamics", {1, 100}, ""}};
  return {{"margin", "number", "0.1", "cosine margin", {0, 2}, ""}};
}

std::string resolve_name(const std::string& name) {
  if (canonical(name) == "group") return "group";
  if (canonical(name) == "proxyanchor") return "proxy_anchor";
  throw UsageError("no loss named '" + name + "'" + suggestion(name, {"group", "proxy_anchor"}));
}

ConfigSchema schema_of_test() {
  return {.fields = {{"batch_size", "integer", "32", "images", {1, 1e6}, ""},
                     {"metrics", "text", "recall@1", "list", {}, ""},
                     {"overwrite", "flag", "false", "replace", {}, ""}},
          .components = {{"loss", "", resolve_name, options_of, "tool --list losses"}},
          .aliases = {{"temp", "loss.temperature"}}};
}

std::string error_of(std::vector<Given> given) {
  try {
    Config::resolve(schema_of_test(), std::move(given));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("config: flags beat the file, the file beats the preset, all say where they come from") {
  std::vector<Given> given = parse_toml("loss = \"Group\"\nbatch_size = 54\ntemp = 79",
                                        Layer::preset, "preset group-loss/cars196");
  const auto file =
      parse_toml("batch-size = 60\nmetrics = [\"recall@1\", \"nmi\"]", Layer::file, "a.toml");
  given.insert(given.begin(), file.begin(), file.end());
  given.push_back(parse_assignment("loss.iterations=3"));
  const Config config = Config::resolve(schema_of_test(), given);
  CHECK(config.name("loss") == "group");
  CHECK(config.integer("batch_size") == 60);
  CHECK(config.at("batch_size").origin == "a.toml:1:1");
  CHECK(config.number("loss.temperature") == 79);
  CHECK(config.at("loss.temperature").origin == "preset group-loss/cars196:3:1");
  CHECK(config.integer("loss.iterations") == 3);
  CHECK(config.list("metrics") == std::vector<std::string>{"recall@1", "nmi"});
  CHECK(config.settings("loss") == Settings{{"temperature", "79"}, {"iterations", "3"}});
  CHECK_FALSE(config.given("overwrite"));
}

TEST_CASE("config: the resolved file resolves to the same values") {
  const Config config =
      Config::resolve(schema_of_test(), {{"loss", "group", "--loss", Layer::flag},
                                         {"temp", "1e-3", "--temp", Layer::flag},
                                         {"metrics", "a\"b\\c", "--metrics", Layer::flag}});
  const Config again =
      Config::resolve(schema_of_test(), parse_toml(config.to_toml(), Layer::file, "config.toml"));
  CHECK(again.to_toml() == config.to_toml());
  CHECK(again.text("metrics") == "a\"b\\c");
  CHECK(again.number("loss.temperature") == 1e-3);
  CHECK(config.to_annotated_toml().find("# --temp") != std::string::npos);
}

TEST_CASE("config: another component drops the options of the former one") {
  std::vector<Given> given = parse_toml("loss = \"group\"\ntemp = 79", Layer::preset, "p");
  given.push_back({"loss", "proxy-anchor", "--loss proxy-anchor", Layer::flag});
  const Config config = Config::resolve(schema_of_test(), given);
  CHECK(config.name("loss") == "proxy_anchor");
  CHECK(config.settings("loss").empty());
  given.push_back(parse_assignment("loss.temperature=3"));
  CHECK(error_of(given) == "loss 'proxy_anchor' has no option 'temperature'; known: margin");
}

TEST_CASE("config: tables with names of the user's own") {
  ConfigSchema schema = schema_of_test();
  schema.tables = {{"groups", [](const Settings& own, const Config&) {
                      std::vector<FieldInfo> fields = {{"kind", "text", "", "", {}, ""},
                                                       {"lr", "number", "", "", {0, 10}, ""}};
                      const auto kind = own.find("kind");
                      if (kind != own.end() && kind->second == "sgd")
                        fields.push_back({"momentum", "number", "", "", {0, 1}, ""});
                      return fields;
                    }}};
  const auto resolve = [&](const std::string& toml, std::vector<Given> flags = {}) {
    std::vector<Given> given = parse_toml("loss = \"group\"\n" + toml, Layer::file, "a.toml");
    given.insert(given.end(), flags.begin(), flags.end());
    return Config::resolve(schema, given);
  };
  const Config config =
      resolve("[groups.proxies]\nlr = 0.5\nkind = \"sgd\"\nmomentum = 0.25\n[groups.base]\nlr=2",
              {parse_assignment("groups.base.lr=3")});
  CHECK(config.tables("groups") ==
        std::map<std::string, Settings>{
            {"proxies", {{"lr", "0.5"}, {"kind", "sgd"}, {"momentum", "0.25"}}},
            {"base", {{"lr", "3"}}}});
  CHECK(config.at("groups.proxies.lr").origin == "a.toml:3:1");
  CHECK_FALSE(config.has("groups.base.momentum"));
  const Config again =
      Config::resolve(schema, parse_toml(config.to_toml(), Layer::file, "config.toml"));
  CHECK(again.to_toml() == config.to_toml());
  CHECK_THROWS_WITH_AS(resolve("groups.base.momentum = 0.5"),
                       doctest::Contains("groups.base has no option 'momentum'"), UsageError);
  CHECK_THROWS_WITH_AS(resolve("groups.base.lr = 11"), doctest::Contains("a.toml:2"), UsageError);
  CHECK_THROWS_AS(resolve("groups.lr = 1"), UsageError);
}

TEST_CASE("config: errors name the place and the nearest known name") {
  CHECK(error_of({{"loss", "groupp", "--loss groupp", Layer::flag}}) ==
        "no loss named 'groupp'; did you mean 'group'?  (tool --list losses)");
  CHECK(error_of(parse_toml("loss = \"group\"\n  batch_sizes = 3", Layer::file, "a.toml")) ==
        "a.toml:2:3: no setting named 'batch_sizes'; did you mean 'batch_size'?");
}

TEST_CASE("config: values of a file that do not fit are named with line and column") {
  const auto given = parse_toml("batch_size = 0\n[loss]\nname = \"group\"\ntemperature = \"warm\"",
                                Layer::file, "a.toml");
  CHECK(error_of(given) ==
        "a.toml:1:1: batch_size: 0 is out of range; a value from 1 to 1e+06 is wanted");
  CHECK(error_of({given[1], given[2]}) == "a.toml:4:1: loss.temperature: 'warm' is not a number");
  CHECK_THROWS_WITH_AS(parse_toml("a = [1,", Layer::file, "a.toml"), doctest::Contains("a.toml:1:"),
                       FormatError);
  CHECK_THROWS_AS(parse_toml("a = 1979-05-27", Layer::file, "a.toml"), FormatError);
  CHECK_THROWS_AS(parse_assignment("loss.alpha"), UsageError);
}

TEST_CASE("config: a component without a name is asked for") {
  CHECK(error_of({}).find("--loss NAME selects one") != std::string::npos);
}

TEST_CASE(
    "config: damaged TOML is refused with its place, letters beyond ASCII are no white space") {
  const auto refused = [](const char* text) {
    CHECK_THROWS_WITH_AS(parse_toml(text, Layer::file, "a.toml"), doctest::Contains("a.toml:1:"),
                         FormatError);
  };
  // Each of these broke an assertion of the library or ran into code that it calls unreachable.
  for (const char* text : {"[%]", "[\x01 x]", "[[=]]",
                           "gr\xC3\xB6\xC3\x9F"
                           "e = 1",
                           "\xEF\xBA\xBF = 1", "\xCC\xAA"})
    refused(text);
  const auto given = parse_toml("name = \"\"\"\\\n\xC2\xA7\"\"\"", Layer::file, "a.toml");
  REQUIRE(given.size() == 1);
  CHECK(given[0].text == "\xC2\xA7");
}
