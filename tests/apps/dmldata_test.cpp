#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// The eight classes of the tests' pictures, as a folder of their own that may be spoilt.
fs::path copied_pictures(const TempFolder& folder) {
  REQUIRE(run("dmldata", {"stats", "shapes", picture_folder().string(), "--set",
                          "dataset.classes=8", "--set", "dataset.images=8"})
              .status == 0);
  for (const auto& entry : fs::recursive_directory_iterator(picture_folder()))
    if (entry.path().filename() == "images.txt") {
      fs::copy(entry.path().parent_path(), folder / "CUB_200_2011", fs::copy_options::recursive);
      break;
    }
  return folder / "CUB_200_2011/images";
}

fs::path some_picture(const fs::path& images) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(images))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() == 64);
  return files[9];
}

}  // namespace

TEST_CASE("dmldata: list, for people and as JSON") {
  const Outcome text = run("dmldata", {"list"});
  CHECK(text.status == 0);
  CHECK(text.out.find("cub200 ") != std::string::npos);
  const auto json = nlohmann::json::parse(run("dmldata", {"list", "--json"}).out);
  CHECK(json["datasets"].size() >= 3);
  CHECK(json["datasets"][0].contains("summary"));
}

TEST_CASE("dmldata: verify finds what is wrong, says it in rows, and ends with 3") {
  const TempFolder folder;
  const fs::path images = copied_pictures(folder);
  const std::string data = folder.path().string();
  const Outcome good = run("dmldata", {"verify", "cub200", data, "--deep"});
  CHECK_MESSAGE(good.status == 0, good.err);
  CHECK(good.out.find("cub200  layout: ") == 0);
  CHECK(good.out.find("  train      32 images, 4 classes") != std::string::npos);
  CHECK(good.out.find("  unreadable 0   exact duplicates 0   fingerprint ") != std::string::npos);

  const fs::path bad = some_picture(images);
  const std::string bytes = dml::read_file(bad);
  dml::write_file_atomically(bad, bytes.substr(0, bytes.size() / 2));
  CHECK(run("dmldata", {"verify", "cub200", data}).status == 0);  // its head is whole
  const Outcome deep = run("dmldata", {"verify", "cub200", data, "--deep", "--fix-report",
                                       (folder / "report.csv").string()});
  CHECK(deep.status == 3);
  CHECK(deep.out.find("unreadable 1") != std::string::npos);
  CHECK(deep.out.find(bad.filename().string()) != std::string::npos);
  CHECK(dml::read_file(folder / "report.csv").find("\"" + bad.string() + "\",") !=
        std::string::npos);
  const auto json =
      nlohmann::json::parse(run("dmldata", {"verify", "cub200", data, "--deep", "--json"}).out);
  CHECK(json["ok"] == false);
  CHECK(json["unreadable"][0]["file"] == bad.string());
  CHECK(json["fingerprint"].get<std::string>().size() == 64);

  fs::remove(bad);
  CHECK(run("dmldata", {"verify", "cub200", data}).status == 3);
}

TEST_CASE("dmldata: stats and wrong usage") {
  const TempFolder folder;
  copied_pictures(folder);
  const auto json = nlohmann::json::parse(
      run("dmldata", {"stats", "cub200", folder.path().string(), "--json"}).out);
  CHECK(json["splits"]["train"]["images_per_class"]["most"] == 8);
  CHECK(json["splits"]["test"]["width"]["least"].get<int>() > 0);
  CHECK(run("dmldata", {}).status == 2);
  CHECK(run("dmldata", {"verfy"}).status == 2);
  const Outcome unknown = run("dmldata", {"verify", "cub20", folder.path().string()});
  CHECK(unknown.status == 2);
  CHECK(unknown.err.find("did you mean 'cub200'?") != std::string::npos);
  const Outcome absent = run("dmldata", {"verify", "cub200", (folder / "nowhere").string()});
  CHECK(absent.status == 3);
  CHECK(absent.err.find("images.txt") != std::string::npos);
}
