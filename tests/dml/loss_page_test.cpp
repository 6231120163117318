#include <doctest/doctest.h>

#include "dml/loss.hpp"
#include "engine/file.hpp"
#include "tests/places.hpp"

using namespace dml;

// The page is made by `dmlbench document`; a loss or option that came later is missing in it.
TEST_CASE("docs/losses.md tells every loss and every option, as it is now") {
  const std::string page = read_file(testing::source_dir() / "docs" / "losses.md");
  for (const auto& one : Registry<Loss>::entries()) {
    const std::string& name = one.first;
    const auto& entry = one.second;
    if (name == "center") continue;  // the example of docs/adding.md, compiled into the tests alone
    CAPTURE(name);
    const std::size_t begin = page.find("\n## " + name + "\n");
    REQUIRE(begin != std::string::npos);
    std::string section = page.substr(begin, page.find("\n## ", begin + 1) - begin);
    std::erase(section, '\\');  // in front of bars in tables
    CHECK(section.find(entry.about.summary) != std::string::npos);
    CHECK(section.find(entry.about.details) != std::string::npos);
    CHECK(entry.about.details.find("Use it ") != std::string::npos);  // when to take this one
    for (const FieldInfo& info : entry.fields) {
      CAPTURE(info.name);
      CHECK(section.find("\n| `" + info.name + "` | " + info.fallback + " |") != std::string::npos);
      CHECK(section.find(info.help) != std::string::npos);
    }
  }
}
