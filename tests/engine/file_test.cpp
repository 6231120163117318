#include "engine/file.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "engine/error.hpp"
#include "engine/input_file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::testing {
namespace {

std::string hash_of(const std::string& text) {
  return sha256(std::as_bytes(std::span<const char>(text)));
}

TEST_CASE("SHA-256 of the standard's examples and of every length around a block") {
  CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hash_of(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // The digests of 0 to 130 letters, hashed together (computed with Python's hashlib).
  std::string all;
  for (std::size_t n = 0; n <= 130; ++n) all += hash_of(std::string(n, 'x'));
  CHECK(hash_of(all) == "87aca1c44bc7ba8897768170211f0a02063de70801131ff86c7edb9ce32c6a50");
}

TEST_CASE("a file is written whole and nothing else stays in the folder") {
  const TemporaryFolder folder;
  const auto file = folder / "a.txt";
  write_file_atomically(file, "first");
  CHECK(read_file(file) == "first");
  write_file_atomically(file, std::string(3000000, 'z'));
  CHECK(read_file(file) == std::string(3000000, 'z'));
  CHECK(sha256_of_file(file) == hash_of(std::string(3000000, 'z')));
  CHECK(folder.entries() == 1);
}

TEST_CASE("when writing stops half-way the old contents stay") {
  const TemporaryFolder folder;
  const auto file = folder / "a.txt";
  write_file_atomically(file, "old");
  CHECK_THROWS_AS(write_file_atomically(file,
                                        [](const auto& append) {
                                          append("new", 3);
                                          throw Error("stopped");
                                        }),
                  Error);
  CHECK(read_file(file) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("errors of the system are told in its words") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(write_file_atomically(folder / "none/a", "x"),
                       doctest::Contains("No such file or directory"), Error);
  CHECK_THROWS_WITH_AS(write_file_atomically(folder.path(), "x"), doctest::Contains("is a folder"),
                       Error);
  CHECK_THROWS_WITH_AS(read_file(folder / "none"), doctest::Contains("No such file"), DataError);
  CHECK_THROWS_WITH_AS(read_file(folder.path()), doctest::Contains("is a folder"), DataError);
  if (std::filesystem::exists("/dev/full"))
    CHECK_THROWS_WITH_AS(write_file_atomically("/dev/full", "x"),
                         doctest::Contains("No space left on device"), Error);
}

TEST_CASE("a link stays a link, its target gets the contents") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "target", "old");
  std::filesystem::create_symlink(folder / "target", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
  CHECK(folder.entries() == 2);
}

TEST_CASE("nothing is read beyond the end of a file") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "0123456789");
  const InputFile input(folder / "a");
  CHECK(input.size() == 10);
  CHECK(input.text(3, 4) == "3456");
  CHECK(input.text(10, 0).empty());
  CHECK_THROWS_AS(input.text(9, 2), FormatError);
  CHECK_THROWS_AS(input.text(11, 0), FormatError);
  CHECK_THROWS_AS(input.text(1, ~std::uint64_t{0}), FormatError);
}

}  // namespace
}  // namespace dml::testing
