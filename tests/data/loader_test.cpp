#include "data/loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "tests/data/picture.hpp"
#include "tests/temporary_folder.hpp"

namespace dml {
namespace {

/// Twelve pictures of different sizes with labels 0..2.
std::vector<Item> make_items(const testing::TemporaryFolder& folder) {
  std::vector<Item> items;
  for (std::int64_t i = 0; i < 12; ++i) {
    const auto file = folder / (std::to_string(i) + ".jpg");
    testing::write_jpeg(file, static_cast<std::uint64_t>(i), 40 + i, 60 - 2 * i);
    items.push_back({.file = file, .label = i / 4});
  }
  return items;
}

Pipeline training() { return Registry<Augment>::make("standard", {}, {32})->train(); }

const BatchPlan plan{{0, 5, 3, 3}, {11, 2, 1, 0}, {7, 8}, {3, 4, 6, 10}};

std::vector<Batch> read_all(Loader& loader, std::int64_t epoch, std::int64_t skip = 0) {
  loader.start(plan, epoch, skip);
  std::vector<Batch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

bool same(const Tensor& a, const Tensor& b) {
  const auto x = a.data<float>(), y = b.data<float>();
  return a.shape() == b.shape() && std::equal(x.begin(), x.end(), y.begin());
}

bool same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Batch& x, const Batch& y) {
    return same(x.images, y.images) && x.labels == y.labels && x.indices == y.indices;
  });
}

TEST_CASE("loader: the number of workers changes nothing") {
  const testing::TemporaryFolder folder;
  const auto items = make_items(folder);
  Loader inline_loader(items, training(), {}, {.workers = 0, .ahead = 1, .seed = 3});
  const auto wanted = read_all(inline_loader, 2);
  REQUIRE(wanted.size() == 4);
  CHECK(wanted[0].images.shape() == Shape{4, 32, 32, 3});
  CHECK(wanted[1].labels == std::vector<std::int64_t>{2, 0, 0, 0});
  for (const std::int64_t workers : {1, 3}) {
    Loader loader(items, training(), {}, {.workers = workers, .ahead = 2, .seed = 3});
    CHECK(same(read_all(loader, 2), wanted));
    CHECK(!same(read_all(loader, 3), wanted));
    CHECK(same(read_all(loader, 2), wanted));
  }
}

TEST_CASE("loader: an image that occurs twice in an epoch is drawn twice") {
  const testing::TemporaryFolder folder;
  Loader loader(make_items(folder), training(), {}, {.seed = 3});
  const auto batches = read_all(loader, 0);
  const Tensor& images = batches[0].images;
  CHECK(!same(images.rows(2, 3), images.rows(3, 4)));
}

TEST_CASE("loader: batches skipped change nothing in the others") {
  const testing::TemporaryFolder folder;
  Loader loader(make_items(folder), training(), {}, {.workers = 2, .seed = 3});
  auto all = read_all(loader, 1);
  all.erase(all.begin(), all.begin() + 2);
  CHECK(same(read_all(loader, 1, 2), all));
}

TEST_CASE("loader: the error of a worker comes at its batch and names the file") {
  const testing::TemporaryFolder folder;
  const auto items = make_items(folder);
  testing::write_bytes(items[7].file, "no picture");
  testing::write_bytes(items[8].file, "no picture either");
  for (const std::int64_t workers : {0, 1, 3}) {
    Loader loader(items, training(), {}, {.workers = workers});
    loader.start(plan, 0);
    CHECK(loader.next());
    CHECK(loader.next());
    CHECK_THROWS_WITH_AS(loader.next(), doctest::Contains("7.jpg: neither"), FormatError);
    CHECK(!loader.next());
    loader.start({{1}}, 0);
    CHECK(loader.next());
  }
}

TEST_CASE("loader: a missing file is named") {
  const testing::TemporaryFolder folder;
  auto items = make_items(folder);
  std::filesystem::remove(items[2].file);
  Loader loader(items, training(), {}, {.workers = 1});
  loader.start({{2}}, 0);
  CHECK_THROWS_WITH_AS(loader.next(), doctest::Contains("2.jpg"), DataError);
}

TEST_CASE("loader: ends in the middle of an epoch without waiting for all of it") {
  const testing::TemporaryFolder folder;
  BatchPlan long_plan;
  for (int i = 0; i < 200; ++i) long_plan.push_back({0, 1, 2, 3});
  Loader loader(make_items(folder), training(), {}, {.workers = 3, .ahead = 3});
  loader.start(long_plan, 0);
  CHECK(loader.next());
  loader.start(long_plan, 1);
  CHECK(loader.next());
}

TEST_CASE("loader: pictures of different sizes cannot share a batch") {
  const testing::TemporaryFolder folder;
  Loader loader(make_items(folder), {}, {}, {.workers = 2});
  loader.start({{0, 1}}, 0);
  CHECK_THROWS_AS(loader.next(), ShapeError);
}

TEST_CASE("loader: the box of an item is cut out") {
  const testing::TemporaryFolder folder;
  auto items = make_items(folder);
  items[0].box = {5, 6, 20, 10};
  items[1].box = {50, 0, 20, 10};
  Loader loader(items, {}, {}, {});
  loader.start({{0}, {1}}, 0);
  CHECK(loader.next()->images.shape() == Shape{1, 10, 20, 3});
  CHECK_THROWS_AS(loader.next(), DataError);
}

TEST_CASE("loader: refuses plans and options that make no sense") {
  const testing::TemporaryFolder folder;
  Loader loader(make_items(folder), training(), {}, {});
  CHECK_THROWS_AS(loader.start({{12}}, 0), ShapeError);
  CHECK_THROWS_AS(Loader(std::vector<Item>{}, {}, {}, {.workers = -1}), UsageError);
  CHECK(!loader.next());
  CHECK(consecutive(5, 2) == BatchPlan{{0, 1}, {2, 3}, {4}});
}

}  // namespace
}  // namespace dml
