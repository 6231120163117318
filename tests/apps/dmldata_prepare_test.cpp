#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/data/tar_file.hpp"
#include "weights_convert/zip_writer.hpp"

using namespace dml::test;
using dml::testing::tar_end;
using dml::testing::tar_entry;
namespace fs = std::filesystem;

namespace {

/// The tests' pictures: 8 classes of 8 in CUB's layout.
fs::path picture_set() {
  REQUIRE(run("dmldata", {"stats", "shapes", picture_folder().string(), "--set",
                          "dataset.classes=8", "--set", "dataset.images=8"})
              .status == 0);
  for (const auto& entry : fs::recursive_directory_iterator(picture_folder()))
    if (entry.path().filename() == "images.txt") return entry.path().parent_path();
  return {};
}

/// All files below a folder by their paths inside.
std::vector<std::pair<std::string, std::string>> files_below(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files.emplace_back(entry.path().lexically_relative(folder).generic_string(),
                         dml::read_file(entry.path()));
  std::sort(files.begin(), files.end());
  return files;
}

std::string tar_of(const fs::path& folder) {
  std::string bytes = tar_entry("CUB_200_2011/", "", '5');
  for (const auto& [path, contents] : files_below(folder))
    bytes += tar_entry(
        path.substr(path.rfind('/') + 1), contents, '0',
        "CUB_200_2011" +
            (path.find('/') == std::string::npos ? "" : "/" + path.substr(0, path.rfind('/'))));
  return bytes + tar_end();
}

std::string zip_of(const fs::path& folder) {
  std::string bytes;
  dml::weights::ZipWriter zip([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  });
  for (const auto& [path, contents] : files_below(folder))
    zip.add("CUB_200_2011/" + path, contents);
  zip.add("__MACOSX/CUB_200_2011/._images.txt", "mac");
  zip.finish();
  return bytes;
}

/// Nothing is left of what was begun.
bool untouched(const fs::path& folder) { return !fs::exists(folder) || fs::is_empty(folder); }

}  // namespace

TEST_CASE("dmldata prepare: tar, compressed tar and zip become the folder that was packed") {
  const TempFolder folder;
  const fs::path set = picture_set();
  dml::write_file_atomically(folder / "set.tar", tar_of(set));
  dml::write_file_atomically(folder / "set.zip", zip_of(set));
  REQUIRE(std::system(("gzip -k '" + (folder / "set.tar").string() + "'").c_str()) == 0);
  for (const char* archive : {"set.tar", "set.tar.gz", "set.zip"}) {
    CAPTURE(archive);
    const fs::path to = folder / (std::string("to-") + archive);
    const Outcome done =
        run("dmldata", {"prepare", "cub", (folder / archive).string(), to.string(), "--json"});
    INFO(done.err);
    CHECK(done.status == 0);
    const auto json = nlohmann::json::parse(done.out);
    CHECK(json["ok"] == true);
    CHECK(json["splits"]["train"]["images"] == 32);
    CHECK(files_below(to / "CUB_200_2011") == files_below(set));
    CHECK(std::distance(fs::directory_iterator(to), fs::directory_iterator()) == 1);
    const Outcome again =
        run("dmldata", {"prepare", "cub", (folder / archive).string(), to.string()});
    CHECK(again.status == 3);
    CHECK(again.err.find("is there already; nothing was unpacked") != std::string::npos);
    CHECK(std::distance(fs::directory_iterator(to), fs::directory_iterator()) == 1);
  }
}

TEST_CASE("dmldata prepare: an archive that wants to write elsewhere writes nothing") {
  const TempFolder folder;
  const fs::path to = folder / "to";
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    dml::write_file_atomically(folder / "evil", bytes);
    const Outcome outcome =
        run("dmldata", {"prepare", "cub200", (folder / "evil").string(), to.string()});
    INFO(outcome.err);
    CHECK(outcome.status == 3);
    CHECK(outcome.err.find(part) != std::string::npos);
    CHECK(untouched(to));
    CHECK_FALSE(fs::exists(folder / "pwned"));
  };
  const std::string good = tar_entry("CUB_200_2011/images.txt", "1 a/b.jpg\n");
  refused(good + tar_entry("../pwned", "x") + tar_end(), "leads out of the folder");
  refused(good + tar_entry((folder / "pwned").string(), "x") + tar_end(),
          "leads out of the folder");
  refused(good + good + tar_end(), "twice");
  refused(good.substr(0, 700), "ends in the middle");
  std::string zip;
  dml::weights::ZipWriter writer([&](const void* data, std::size_t size) {
    zip.append(static_cast<const char*>(data), size);
  });
  writer.add("a/../../pwned", "x");
  writer.finish();
  refused(zip, "leads out of the folder");
  const Outcome absent = run("dmldata", {"prepare", "cub200", "/nowhere.tgz", to.string()});
  CHECK(absent.status == 3);
  CHECK(absent.err.find("there is no such file") != std::string::npos);
  CHECK(run("dmldata", {"prepare", "cub200", "one.tgz"}).status == 2);
  CHECK(run("dmldata", {"prepare", "cub20", "/nowhere.tgz", to.string()}).status == 2);
}

TEST_CASE("dmldata prepare: a disk that is full in the middle leaves nothing behind") {
  const TempFolder folder;
  dml::write_file_atomically(folder / "set.tar", tar_of(picture_set()));
  const Outcome full =
      run_limited("ulimit -f 2", "dmldata",
                  {"prepare", "cub200", (folder / "set.tar").string(), (folder / "to").string()});
  INFO(full.err);
  CHECK(full.status == 1);
  CHECK(full.err.find("writing failed: File too large") != std::string::npos);
  CHECK(untouched(folder / "to"));
}

TEST_CASE("dmldata prepare: what does not make the dataset whole is told, and stays") {
  const TempFolder folder;
  dml::write_file_atomically(folder / "part.tar",
                             tar_entry("CUB_200_2011/README", "part") + tar_end());
  const Outcome outcome = run(
      "dmldata", {"prepare", "cub200", (folder / "part.tar").string(), (folder / "to").string()});
  CHECK(outcome.status == 3);
  CHECK(outcome.err.find("1 files") != std::string::npos);
  CHECK(outcome.err.find("images.txt") != std::string::npos);
  CHECK(fs::exists(folder / "to/CUB_200_2011/README"));
}

TEST_CASE("dmldata import: own folders become a list that trains") {
  const TempFolder folder;
  const fs::path photos = folder / "photos", list = photos / "manifest.csv";
  fs::copy(picture_set() / "images", photos, fs::copy_options::recursive);
  const auto import = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"import", photos.string(), "-o", list.string()});
    return run("dmldata", more);
  };
  const Outcome done = import({"--split-by", "class:0.25", "--json"});
  CHECK_MESSAGE(done.status == 0, done.err);
  const auto json = nlohmann::json::parse(done.out);
  CHECK(json["images"] == 64);
  CHECK(json["classes"] == 8);
  CHECK(json["splits"]["train"]["classes"] == 2);
  CHECK(json["splits"]["test"]["images"] == 48);
  const auto lines = lines_of(list);
  CHECK(lines.size() == 65);
  CHECK(lines[0] == "path,label,split");
  CHECK(lines[1].find(photos.string()) == std::string::npos);  // relative to the list
  const auto stats =
      nlohmann::json::parse(run("dmldata", {"stats", "folder", list.string(), "--json"}).out);
  CHECK(stats["splits"]["train"]["images"] == 16);
  CHECK(stats["unreadable"] == 0);
  // A list elsewhere, made of that list, names whole paths and keeps the split.
  const fs::path other = folder / "other/list.csv";
  fs::create_directories(other.parent_path());
  CHECK(run("dmldata", {"import", list.string(), "-o", other.string()}).status == 0);
  CHECK(lines_of(other)[1].find("\"" + photos.string()) == 0);
  const auto kept =
      nlohmann::json::parse(run("dmldata", {"verify", "folder", other.string(), "--json"}).out);
  CHECK(kept["splits"]["train"]["images"] == 16);
  CHECK(kept["ok"] == true);
  for (const char* wrong : {"class", "class:0", "class:1", "class:x", "image:0.5"}) {
    const Outcome outcome = import({"--split-by", wrong});
    CHECK(outcome.status == 2);
    CHECK(outcome.err.find("class:0.5") != std::string::npos);
  }
  CHECK(run("dmldata", {"import", list.string(), "-o", list.string()}).status == 2);
  CHECK(run("dmldata", {"import", photos.string()}).status == 2);
  CHECK(run("dmldata", {"import", "/nowhere", "-o", list.string()}).status == 3);
}

TEST_CASE("dmldata import: queries, galleries and boxes come along") {
  const TempFolder folder;
  dml::write_file_atomically(folder / "in.csv",
                             "label,path,split,is_query,is_gallery,x_1,y_1,x_2,y_2\n"
                             "\"a,b\",one.jpg,train,1,1,1,2,11,22\n"
                             "c,two.jpg,test,1,0,,,,\nc,three.jpg,test,0,1,,,,\n");
  CHECK(
      run("dmldata", {"import", (folder / "in.csv").string(), "-o", (folder / "out.csv").string()})
          .status == 0);
  const auto lines = lines_of(folder / "out.csv");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "path,label,split,query,gallery,x,y,width,height");
  CHECK(lines[1] == "\"one.jpg\",\"a,b\",train,1,1,1,2,10,20");
  CHECK(lines[2] == "\"two.jpg\",\"c\",test,1,0,,,,");
  CHECK(lines[3] == "\"three.jpg\",\"c\",test,0,1,,,,");
}

TEST_CASE("dmldata sample: the same images for the same seed") {
  const TempFolder folder;
  const std::string set = picture_set().string();
  const auto sample = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"sample", "cub200", set});
    return run("dmldata", more);
  };
  const Outcome five = sample({"5"});
  CHECK(five.status == 0);
  CHECK(std::count(five.out.begin(), five.out.end(), '\n') == 5);
  CHECK(sample({"5"}).out == five.out);
  CHECK(sample({"5", "--seed", "1"}).out != five.out);
  const fs::path list = folder / "some.csv";
  CHECK(sample({"12", "--images-per-class", "3", "-o", list.string()}).status == 0);
  const auto stats =
      nlohmann::json::parse(run("dmldata", {"stats", "folder", list.string(), "--json"}).out);
  std::int64_t images = 0, classes = 0;
  for (const auto& [name, split] : stats["splits"].items()) {
    images += split["images"].get<std::int64_t>();
    classes += split["classes"].get<std::int64_t>();
    CHECK(split["images_per_class"]["least"] == 3);
  }
  CHECK(images == 12);
  CHECK(classes == 4);
  CHECK(sample({"7", "--images-per-class", "3"}).status == 2);
  const Outcome all = sample({"1000", "--json"});
  CHECK(nlohmann::json::parse(all.out)["images"].size() == 64);
  CHECK(all.err.find("only 64 images") != std::string::npos);
  CHECK(sample({"0"}).status == 2);
}

TEST_CASE("dmldata duplicates: across splits first, equal before near") {
  const TempFolder folder;
  fs::copy(picture_set() / "images", folder / "images", fs::copy_options::recursive);
  std::vector<fs::path> classes;
  for (const auto& entry : fs::directory_iterator(folder / "images"))
    classes.push_back(entry.path());
  std::sort(classes.begin(), classes.end());
  const auto first_of = [](const fs::path& one) { return *fs::directory_iterator(one); };
  const fs::path inside = classes[0] / "copy.jpg", across = classes[7] / "copy.jpg";
  fs::copy_file(first_of(classes[1]), across);
  fs::copy_file(first_of(classes[0]), inside);
  const Outcome done = run("dmldata", {"duplicates", "folder", folder.path().string(), "--distance",
                                       "0", "-o", (folder / "pairs.csv").string()});
  CHECK_MESSAGE(done.status == 0, done.err);
  CHECK(done.out.find("66 images: 2 exact and ") != std::string::npos);
  const auto lines = lines_of(folder / "pairs.csv");
  REQUIRE(lines.size() >= 3);
  CHECK(lines[0] == "kind,distance,first,first_split,second,second_split");
  CHECK(lines[1].find("exact,0,") == 0);
  CHECK(lines[1].find(across.string()) != std::string::npos);
  const auto json = nlohmann::json::parse(
      run("dmldata", {"duplicates", "folder", folder.path().string(), "--json"}).out);
  CHECK(json["exact"] == 2);
  CHECK(json["pairs"][0]["across_splits"] == true);
  bool within = false;  // behind the last pair across splits there is none
  for (const auto& pair : json["pairs"]) {
    CHECK_FALSE((within && pair["across_splits"].get<bool>()));
    within = within || !pair["across_splits"].get<bool>();
  }
}
