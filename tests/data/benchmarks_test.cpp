#include <doctest/doctest.h>
#include <matio.h>

#include <map>

#include "data/dataset.hpp"
#include "tests/data/picture.hpp"
#include "tests/temporary_folder.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;
using testing::write_bytes;

Manifest read(const std::string& dataset, const fs::path& root, const Settings& settings = {}) {
  return Registry<Dataset>::make(dataset, settings, {root})->read();
}

/// What read() says when it refuses.
std::string refusal(const std::string& dataset, const fs::path& root) {
  try {
    read(dataset, root);
  } catch (const DataError& error) {
    return error.what();
  }
  return "nothing was refused";
}

struct Row {
  std::string file;
  double label;
};

/// A MATLAB 5 file with the array of structures `annotations`; without labels when label_field is
/// false, as the devkit's own list of test images.
void write_annotations(const fs::path& path, const char* file_field, std::vector<Row> rows,
                       bool label_field = true) {
  fs::create_directories(path.parent_path());
  mat_t* file = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
  REQUIRE(file != nullptr);
  const char* fields[] = {file_field, "bbox_x1", "class"};
  std::size_t dims[] = {1, rows.size()};
  matvar_t* list = Mat_VarCreateStruct("annotations", 2, dims, fields, label_field ? 3 : 2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t text[] = {1, rows[i].file.size()}, one[] = {1, 1};
    double x = 30;
    Mat_VarSetStructFieldByName(
        list, file_field, i,
        Mat_VarCreate(nullptr, MAT_C_CHAR, MAT_T_UTF8, 2, text, rows[i].file.data(), 0));
    Mat_VarSetStructFieldByName(list, "bbox_x1", i,
                                Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, one, &x, 0));
    if (label_field)
      Mat_VarSetStructFieldByName(
          list, "class", i,
          Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, one, &rows[i].label, 0));
  }
  Mat_VarWrite(file, list, MAT_COMPRESSION_ZLIB);
  Mat_VarFree(list);
  Mat_Close(file);
}

void check_counts(const Manifest& manifest, Counts train, Counts test) {
  CHECK(manifest.counts(Split::train) == train);
  CHECK(manifest.counts(Split::test) == test);
}

TEST_CASE("cars196: one list for all pictures") {
  const testing::TemporaryFolder root;
  write_annotations(root / "cars_annos.mat", "relative_im_path",
                    {{"car_ims/1.jpg", 1}, {"car_ims/2.jpg", 98}, {"car_ims/3.jpg", 99}});
  CHECK(refusal("cars196", root.path()).find("3 of them are missing") != std::string::npos);
  for (const char* file : {"1", "2", "3"})
    write_bytes(root / "car_ims" / (std::string(file) + ".jpg"), "x");
  const Manifest manifest = read("cars196", root.path());
  check_counts(manifest, {2, 2}, {1, 1});
  CHECK(manifest.items[2].label == 98);
  CHECK(manifest.layout == "cars_annos.mat, car_ims/");
}

TEST_CASE("cars196: the devkit; the test list needs labels") {
  const testing::TemporaryFolder root;
  for (const char* file : {"cars_train/1.jpg", "cars_train/2.jpg", "cars_test/1.jpg"})
    write_bytes(root / file, "x");
  write_annotations(root / "devkit/cars_train_annos.mat", "fname", {{"1.jpg", 1}, {"2.jpg", 196}});
  write_annotations(root / "devkit/cars_test_annos.mat", "fname", {{"1.jpg", 0}}, false);
  CHECK(refusal("cars196", root.path()).find("cars_test_annos_withlabels.mat") !=
        std::string::npos);
  write_annotations(root / "cars_test_annos_withlabels.mat", "fname", {{"1.jpg", 1}});
  check_counts(read("cars196", root.path()), {2, 1}, {1, 1});
  write_annotations(root / "cars_test_annos_withlabels.mat", "fname", {{"1.jpg", 0}}, false);
  CHECK(refusal("cars196", root.path()).find("class 0 of 1.jpg") != std::string::npos);
  write_bytes(root / "cars_test_annos_withlabels.mat", "<html>404</html>");
  CHECK(refusal("cars196", root.path()).find("no MATLAB 5 file") != std::string::npos);
}

TEST_CASE("cars196: folders of classes, joined from train and test or below images") {
  const testing::TemporaryFolder root;
  for (const char* file :
       {"car_data/car_data/train/Audi/1.jpg", "car_data/car_data/train/BMW/2.jpg",
        "car_data/car_data/test/Audi/3.jpg", "car_data/car_data/test/BMW/4.jpg"})
    write_bytes(root / file, "x");
  check_counts(read("cars196", root.path()), {2, 1}, {2, 1});
  const testing::TemporaryFolder other;
  for (const char* file : {"images/Audi/1.jpg", "images/BMW/2.jpg", "images/._BMW/2.jpg"})
    write_bytes(other / file, "x");
  check_counts(read("cars196", other.path()), {1, 1}, {1, 1});
}

TEST_CASE("sop: the lists, wherever they lie, and folders of classes") {
  const testing::TemporaryFolder root;
  const std::string heading = "image_id class_id super_class_id path\n";
  const fs::path place = root / "Stanford_Online_Products";
  write_bytes(place / "Ebay_train.txt", heading + "1 7 1 a/1.JPG\n2 2 1 a/2.JPG\n3 7 1 a/3.JPG\n");
  write_bytes(place / "Ebay_test.txt", heading + "4 9 2 b/4.JPG\n");
  CHECK(refusal("sop", root.path()).find("4 of them are missing") != std::string::npos);
  for (const char* file : {"a/1.JPG", "a/2.JPG", "a/3.JPG", "b/4.JPG"})
    write_bytes(place / "images" / file, "x");  // lists beside images/ work as well
  const Manifest manifest = read("sop", root.path());
  check_counts(manifest, {3, 2}, {1, 1});
  CHECK(manifest.items[0].label == 1);
  CHECK(manifest.class_names == std::vector<std::string>{"2", "7", "9"});
  write_bytes(place / "Ebay_test.txt", heading + "4 nine 2 b/4.JPG\n");
  CHECK(refusal("sop", root.path()).find("'nine' is not a number") != std::string::npos);
  const testing::TemporaryFolder other;
  for (const char* file : {"images/00001/1.jpg", "images/00002/2.jpg", "images/00003/3.jpg"})
    write_bytes(other / file, "x");
  check_counts(read("sop", other.path()), {2, 2}, {1, 1});
}

TEST_CASE("inshop: queries and gallery of one set of classes; Img/ may stand before the names") {
  const testing::TemporaryFolder root;
  const std::string list =
      "4\nimage_name item_id evaluation_status\nimg/a.jpg   id_00000007 train  \n"
      "img/b.jpg id_00000003 query\nimg/c.jpg id_00000003 gallery\nimg/d.jpg id_00000001 train\n";
  write_bytes(root / "Eval/list_eval_partition.txt", list);
  for (const char* file : {"a", "b", "c", "d"})
    write_bytes(root / "Img/img" / (std::string(file) + ".jpg"), "x");
  const Manifest manifest = read("inshop", root.path());
  check_counts(manifest, {2, 2}, {2, 1});
  CHECK(manifest.items[0].label == 1);
  CHECK(manifest.items[1].label == 2);
  CHECK(manifest.items[1].query);
  CHECK_FALSE(manifest.items[1].gallery);
  CHECK_FALSE(manifest.items[2].query);
  write_bytes(root / "Eval/list_eval_partition.txt", "5" + list.substr(1));
  CHECK(refusal("inshop", root.path()).find("says 5 images, 4 are listed") != std::string::npos);
}

TEST_CASE("vehicleid: three sizes, and a gallery of one image per vehicle") {
  const testing::TemporaryFolder root;
  write_bytes(root / "train_test_split/train_list.txt", "0001 5\n0002 5\n0003 8\n");
  write_bytes(root / "train_test_split/test_list_800.txt", "0004 1\n0005 1\n0006 2\n0007 2\n");
  for (int i = 1; i <= 7; ++i)
    write_bytes(root / "image" / ("000" + std::to_string(i) + ".jpg"), "x");
  CHECK_THROWS_AS(read("vehicleid", root.path()), DataError);  // no large list
  const Manifest all = read("vehicleid", root.path(), {{"test", "small"}});
  check_counts(all, {3, 2}, {4, 2});
  std::map<std::int64_t, int> gallery, queries;
  for (const Item& item :
       read("vehicleid", root.path(), {{"test", "small"}, {"protocol", "one_gallery"}})
           .of(Split::test)) {
    gallery[item.label] += item.gallery ? 1 : 0;
    queries[item.label] += item.query ? 1 : 0;
  }
  CHECK(gallery == std::map<std::int64_t, int>{{2, 1}, {3, 1}});
  CHECK(queries == std::map<std::int64_t, int>{{2, 1}, {3, 1}});
}

TEST_CASE("cub200: pictures without lists") {
  const testing::TemporaryFolder root;
  for (const char* file : {"CUB_200_2011/images/001.A/1.jpg", "CUB_200_2011/images/002.B/2.jpg"})
    write_bytes(root / file, "x");
  check_counts(read("cub200", root.path()), {1, 1}, {1, 1});
}

}  // namespace
}  // namespace dml
