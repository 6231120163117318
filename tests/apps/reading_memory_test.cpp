#include <doctest/doctest.h>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/weights_convert/torch_file.hpp"
#include "weights_convert/torch_writer.hpp"

// Sanitizers hold memory of their own.
#ifndef DML_OWN_THREADS

namespace dml::testing {
namespace {

constexpr std::uint64_t megabyte = std::uint64_t{1} << 20U;

/// Bytes that converting a file takes beside what the program itself takes.
class Reading {
 public:
  Reading() {
    weights::write_torch(folder_ / "small.pth", {{"w", Tensor({1}, DType::f32)}});
    program_ = test::run("convert_weights", {path("small.pth"), "-o", path("out")}).peak_memory;
    REQUIRE(program_ > megabyte);
  }

  std::string path(const char* name) const { return (folder_ / name).string(); }

  /// Converts a file. @param status  how it ends: 0, or 3 where it is refused.
  void check(const char* name, int status) const {
    CAPTURE(name);
    const test::Outcome outcome = test::run("convert_weights", {path(name), "-o", path("out")});
    CHECK(outcome.status == status);
    const std::uint64_t size = std::filesystem::file_size(path(name));
    CHECK(outcome.peak_memory <= program_ + 4 * size + 40 * megabyte);
    CHECK(outcome.peak_memory > megabyte);                              // it was measured
    if (status == 0) CHECK(outcome.peak_memory > program_ + size / 2);  // and read as a whole
  }

 private:
  TemporaryFolder folder_;
  std::uint64_t program_ = 0;
};

/// A pickle of a dict with one tensor of six floats and something else.
std::string with_tensor(const std::string& other) {
  using namespace pickle;
  return dict({{text("w"), tensor(storage("0", 6), 0, {2, 3}, {3, 1})}, {text("other"), other}});
}

std::string repeated(const std::string& part, std::size_t count) {
  std::string all;
  all.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += part;
  return all;
}

}  // namespace

TEST_CASE("convert_weights: reading takes no more memory than four times the file and 64 MB") {
  const Reading reading;
  const std::int64_t side = 4096;  // 64 MB of floats
  weights::write_torch(reading.path("plain.pth"), {{"w", Tensor({side, side}, DType::f32)}});
  reading.check("plain.pth", 0);
  {
    // The old format, and a transposed matrix: the file, the storage and its copy.
    using namespace pickle;
    const std::int64_t narrow = side / 2;
    write_file_atomically(
        reading.path("legacy.pth"),
        legacy_checkpoint(
            dict({{text("w"), tensor(storage("0", narrow * narrow, "FloatStorage", true), 0,
                                     {narrow, narrow}, {1, narrow})}}),
            {{"0", narrow * narrow,
              std::string(static_cast<std::size_t>(narrow * narrow) * 4, '\1')}}));
  }
  reading.check("legacy.pth", 0);
}

TEST_CASE("convert_weights: nor do files that are made to take more") {
  const Reading reading;
  const std::size_t count = 12'000'000;
  // Values of one byte each in a tuple, pairs in a dict, and lists of nothing.
  const std::pair<const char*, std::string> cases[] = {
      {"tuple.pth", "(" + repeated("N", count) + "t"},
      {"dict.pth", "}(" + repeated("K\1N", count / 3) + "u"},
      {"lists.pth", "](" + repeated("]", count) + "e"}};
  for (const auto& [name, object] : cases) {
    write_file_atomically(reading.path(name),
                          zip_checkpoint(with_tensor(object), {{"0", floats(6)}}));
    reading.check(name, 3);
  }
}

}  // namespace dml::testing

#endif
