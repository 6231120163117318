#include <doctest/doctest.h>

#include <chrono>
#include <set>

#include "data/dataset.hpp"
#include "data/datasets/shape_painter.hpp"
#include "data/image/reader.hpp"
#include "engine/file.hpp"
#include "tests/data/picture.hpp"
#include "tests/temporary_folder.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;
using testing::write_bytes;

Manifest read(const std::string& dataset, const fs::path& root, const Settings& settings = {}) {
  return Registry<Dataset>::make(dataset, settings, {root})->read();
}

std::vector<std::string> names(const Manifest& manifest, Split split) {
  std::vector<std::string> list;
  for (const Item& item : manifest.of(split))
    list.push_back(item.file.lexically_relative(manifest.root).generic_string());
  return list;
}

TEST_CASE("folder: classes by name, the first half trains, odd files are left out") {
  const testing::TemporaryFolder root;
  for (const char* file : {"b/2.JPG", "b/10.jpg", "a/x.png", "c/y.jpeg", "a/._x.png", "a/notes.txt",
                           ".hidden/z.jpg", "empty/readme.md"})
    write_bytes(root / file, "x");
  const Manifest manifest = read("folder", root.path());
  CHECK(manifest.class_names == std::vector<std::string>{"a", "b", "c"});
  CHECK(names(manifest, Split::train) ==
        std::vector<std::string>{"a/x.png", "b/10.jpg", "b/2.JPG"});
  CHECK(names(manifest, Split::test) == std::vector<std::string>{"c/y.jpeg"});
  CHECK(manifest.of(Split::test)[0].label == 2);
  CHECK(read("folder", root.path(), {{"train_classes", "1"}}).counts(Split::test) == Counts{3, 2});
  CHECK_THROWS_AS(read("folder", root.path(), {{"train_classes", "3"}}), UsageError);
}

TEST_CASE("folder: train and test folders; training classes are numbered first") {
  const testing::TemporaryFolder root;
  for (const char* file :
       {"train/m/1.jpg", "train/z/1.jpg", "test/a/1.jpg", "test/m/2.jpg", "val/k/1.jpg"})
    write_bytes(root / file, "x");
  const Manifest manifest = read("folder", root.path());
  CHECK(manifest.class_names == std::vector<std::string>{"m", "z", "k", "a"});
  CHECK(manifest.counts(Split::train) == Counts{2, 2});
  CHECK(manifest.counts(Split::validation) == Counts{1, 1});
  CHECK(manifest.counts(Split::test) == Counts{2, 2});
}

TEST_CASE("folder: a CSV list with quotes, splits and boxes") {
  const testing::TemporaryFolder root;
  write_bytes(root / "manifest.csv",
              "label,path,split,is_query,x_1,x_2,y_1,y_2\r\n"
              "\"old, red\",one.jpg,train,,1,11,2,7\n"
              "\"say \"\"hi\"\"\",sub/two.jpg,test,1,,,,\n");
  const Manifest manifest = read("folder", root.path());
  CHECK(manifest.class_names == std::vector<std::string>{"old, red", "say \"hi\""});
  CHECK(manifest.items[0].box == Box{1, 2, 10, 5});
  CHECK(manifest.items[0].query == false);
  CHECK(manifest.items[1].box.empty());
  CHECK(manifest.items[1].query);
  CHECK(manifest.items[1].split == Split::test);
  CHECK(manifest.items[1].file == root / "sub/two.jpg");
}

TEST_CASE("folder: bad lists are refused with file and place") {
  const testing::TemporaryFolder root;
  const auto check = [&](const std::string& text, const char* message) {
    write_bytes(root / "list.csv", text);
    CHECK_THROWS_WITH_AS(read("folder", root / "list.csv"), doctest::Contains(message), DataError);
  };
  check("", "names no image");
  check("path,class name\na,b\n", "no column 'label'");
  check("path,label\na.jpg\n", "row 2 has no cell 'label'");
  check("path,label,x,y,width,height\na.jpg,b,1,2,q,4\n", "row 2: width is 'q'");
  check("path,label\n\"a.jpg,b\n", "a quote is opened");
}

TEST_CASE("folder: says what is missing") {
  const testing::TemporaryFolder root;
  CHECK_THROWS_WITH_AS(read("folder", root / "nowhere"), doctest::Contains("there is no"),
                       DataError);
  write_bytes(root / "1.jpg", "x");
  CHECK_THROWS_WITH_AS(read("folder", root.path()),
                       doctest::Contains("1 images lie in it directly"), DataError);
}

/// A folder in CUB's layout with the given number of classes, one picture each.
void make_cub(const fs::path& root, int classes) {
  std::string images, labels;
  for (int i = 1; i <= classes; ++i) {
    const std::string path = std::to_string(i) + ".Bird/" + std::to_string(i) + ".jpg";
    write_bytes(root / "images" / path, "x");
    images += std::to_string(i) + " " + path + "\n";
    labels += std::to_string(i) + " " + std::to_string(i) + "\n";
  }
  write_bytes(root / "images.txt", images);
  write_bytes(root / "image_class_labels.txt", labels);
}

TEST_CASE("cub200: the folder or its parent; half of the classes train, rounded up") {
  const testing::TemporaryFolder root;
  make_cub(root / "CUB_200_2011", 5);
  for (const fs::path& place : {root.path(), root / "CUB_200_2011"}) {
    const Manifest manifest = read("cub", place);
    CHECK(manifest.counts(Split::train) == Counts{3, 3});
    CHECK(manifest.counts(Split::test) == Counts{2, 2});
    CHECK(manifest.class_names[4] == "5.Bird");
  }
  CHECK(read("CUB-200", root.path(), {{"train_classes", "4"}}).counts(Split::test) == Counts{1, 1});
}

TEST_CASE("cub200: damaged lists and missing files are named") {
  const testing::TemporaryFolder root;
  const auto refuses = [&](const char* message) {
    CHECK_THROWS_WITH_AS(read("cub200", root.path()), doctest::Contains(message), DataError);
  };
  refuses("--dataset shapes");
  make_cub(root.path(), 4);
  fs::remove(root / "images/2.Bird/2.jpg");
  refuses("1 of them are missing");
  make_cub(root.path(), 4);
  write_bytes(root / "image_class_labels.txt", "1 1\n2 2\n3 3\n");
  refuses("4 images, but 3 labels");
  write_bytes(root / "image_class_labels.txt", "1 1\n2 0\n3 3\n4 4\n");
  refuses("classes count from 1");
  write_bytes(root / "image_class_labels.txt", "1 1\n2 x\n3 3\n4 4\n");
  refuses("'x' is not a number");
  make_cub(root.path(), 2);
  write_bytes(root / "images.txt", "1 1.Bird/1.jpg\n2 ../../etc/passwd\n");
  refuses("leads out of the folder");
}

TEST_CASE("cub200: the published lists give the published counts") {
  const fs::path lists = testing::golden_images() / "../../data/metadata/cub200";
  if (!fs::exists(lists / "images.txt")) {
    MESSAGE("skipped: no lists at ", lists.string());
    return;
  }
  const testing::TemporaryFolder root;
  for (const char* name : {"images.txt", "image_class_labels.txt", "classes.txt"})
    write_bytes(root / name, read_file(lists / name));
  std::istringstream words(read_file(lists / "images.txt"));
  for (std::string id, path; words >> id >> path;) write_bytes(root / "images" / path, "");
  const auto dataset = Registry<Dataset>::make("cub200", {}, {root.path()});
  const Manifest manifest = dataset->read();
  const Expected expected = dataset->expected().value();
  CHECK(manifest.counts(Split::train) == Counts{expected.train_images, expected.train_classes});
  CHECK(manifest.counts(Split::test) == Counts{expected.test_images, expected.test_classes});
  CHECK(manifest.class_names[0] == "001.Black_footed_Albatross");
}

TEST_CASE("shapes: drawn once, in CUB's layout, half of the classes for the test") {
  const testing::TemporaryFolder root;
  const Settings small{{"classes", "6"}, {"images", "3"}};
  int notices = 0;
  const Dataset::Setup setup{root.path(), [&](const std::string&) { ++notices; }};
  const auto dataset = Registry<Dataset>::make("shapes", small, setup);
  const Manifest manifest = dataset->read();
  CHECK(manifest.counts(Split::train) == Counts{9, 3});
  CHECK(manifest.counts(Split::test) == Counts{9, 3});
  CHECK(root.entries() == 1);
  const std::string before = fingerprint(manifest);
  CHECK(fingerprint(dataset->read()) == before);
  CHECK(notices == 1);
  for (const Item& item : manifest.items) CHECK(read_picture(item.file).height >= 96);
  // Drawn again after a marker of another version, and with the same bytes.
  const std::string bytes = read_file(manifest.items[4].file);
  write_bytes(manifest.root / "drawn_by_dml.txt", "version 0");
  CHECK(fingerprint(dataset->read()) == before);
  CHECK(notices == 2);
  CHECK(root.entries() == 1);
  CHECK(read_file(manifest.items[4].file) == bytes);
}

TEST_CASE("shapes: the pixels are the same on every machine") {
  const Image image = shapes::paint(shapes::figure(5), Random(0, Purpose::render, 5, 2));
  CHECK(sha256(std::as_bytes(std::span(image.pixels))) ==
        "3f6fc9b36600025fca263712147aaf69a3742830059e233acbd756b8c3ae9473");
}

TEST_CASE("shapes: all figures differ, and a first half shows every lobe, depth and pattern") {
  std::set<std::tuple<int, double, int>> all;
  std::set<int> lobes, patterns;
  std::set<double> depths;
  for (int i = 0; i < shapes::figure_count; ++i) {
    const shapes::Figure f = shapes::figure(i);
    all.insert({f.lobes, f.depth, f.pattern});
    if (i >= shapes::figure_count / 2) continue;
    lobes.insert(f.lobes);
    depths.insert(f.depth);
    patterns.insert(f.pattern);
  }
  CHECK(all.size() == 48);
  CHECK(lobes.size() == 4);
  CHECK(depths.size() == 2);
  CHECK(patterns.size() == 6);
}

TEST_CASE("shapes: a folder that the program did not draw is left alone") {
  const testing::TemporaryFolder root;
  write_bytes(root / "shapes-6x3/mine.txt", "x");
  CHECK_THROWS_AS(read("shapes", root.path(), {{"classes", "6"}, {"images", "3"}}), DataError);
  CHECK(fs::exists(root / "shapes-6x3/mine.txt"));
}

TEST_CASE("manifest: validation classes come from the end of the training classes") {
  const testing::TemporaryFolder root;
  make_cub(root.path(), 10);
  const Manifest manifest = with_validation(read("cub200", root.path()), 0.4);
  CHECK(manifest.counts(Split::train) == Counts{3, 3});
  CHECK(manifest.of(Split::validation)[0].label == 3);
  CHECK(manifest.counts(Split::test) == Counts{5, 5});
  CHECK_THROWS_AS(with_validation(manifest, 1), UsageError);
  CHECK(split_of("VAL") == Split::validation);
  CHECK_THROWS_AS(split_of("tets"), UsageError);
}

}  // namespace
}  // namespace dml
