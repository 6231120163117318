#include "data/archive/tar.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <map>

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "tests/data/tar_file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::testing {
namespace {

/// The files of an archive by path.
std::map<std::string, std::string> files_of(const std::filesystem::path& archive,
                                            std::int64_t* left_out = nullptr) {
  std::map<std::string, std::string> files;
  std::string path, contents;
  std::uint64_t expected = 0;
  const std::int64_t others = read_tar(archive, {[&](const std::string& name, std::uint64_t size) {
                                                   path = name;
                                                   expected = size;
                                                   contents.clear();
                                                 },
                                                 [&](std::string_view bytes) { contents += bytes; },
                                                 [&] {
                                                   CHECK(contents.size() == expected);
                                                   CHECK(files.emplace(path, contents).second);
                                                 }});
  if (left_out != nullptr) *left_out = others;
  return files;
}

struct Archive {
  TemporaryFolder folder;
  std::filesystem::path file = folder / "a.tar";

  explicit Archive(const std::string& bytes) { write_file_atomically(file, bytes); }
};

void check_refused(const std::string& bytes, const char* part) {
  const Archive archive(bytes);
  CHECK_THROWS_WITH_AS(files_of(archive.file), doctest::Contains(part), FormatError);
}

TEST_CASE("tar: files with short, long and extended names") {
  const std::string deep = std::string(120, 'd') + "/" + std::string(90, 'f');
  const Archive archive(
      tar_entry("a/", "", '5') + tar_entry("a/one.txt", "one") +
      tar_entry("./a//two.txt", std::string(1000, '2')) +
      tar_entry("name", "three", '0', "a/prefix") + tar_entry("././@LongLink", deep + '\0', 'L') +
      tar_entry(deep.substr(0, 100), "four") + tar_extended("path", "a/\xC3\xA4") +
      tar_entry("a/other", "five") + tar_entry("a/._one.txt", "mac") + tar_entry("a/empty", "") +
      tar_end() + "what follows is not read");
  const auto files = files_of(archive.file);
  CHECK(files == std::map<std::string, std::string>{{"a/one.txt", "one"},
                                                    {"a/two.txt", std::string(1000, '2')},
                                                    {"a/prefix/name", "three"},
                                                    {deep, "four"},
                                                    {"a/\xC3\xA4", "five"},
                                                    {"a/empty", ""}});
}

TEST_CASE("tar: a compressed archive is the same archive") {
  const TemporaryFolder folder;
  const std::string bytes = tar_entry("x", std::string(100000, 'x')) + tar_end();
  const std::string name = (folder / "a.tgz").string();
  gzFile out = gzopen(name.c_str(), "wb");
  CHECK(gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())) ==
        static_cast<int>(bytes.size()));
  gzclose(out);
  CHECK(files_of(name).at("x").size() == 100000);
  std::string packed = read_file(name);
  write_file_atomically(name, packed.substr(0, packed.size() / 2));
  CHECK_THROWS_AS(files_of(name), FormatError);
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] + 1);
  write_file_atomically(name, packed);
  CHECK_THROWS_AS(files_of(name), FormatError);
}

TEST_CASE("tar: nothing leads out of the folder, links are left out") {
  for (const char* path : {"../x", "a/../../x", "/etc/x", "a/.."}) {
    CAPTURE(path);
    check_refused(tar_entry(path, "x") + tar_end(), "leads out of the folder");
  }
  check_refused(tar_extended("path", "/x") + tar_entry("x", "x"), "leads out of the folder");
  check_refused(tar_entry("", "x"), "cannot be the name");
  const Archive archive(tar_entry("link", "", '2') + tar_entry("hard", "", '1') +
                        tar_entry("fifo", "", '6') + tar_entry("file", "f") + tar_end());
  std::int64_t left_out = 0;
  CHECK(files_of(archive.file, &left_out).size() == 1);
  CHECK(left_out == 3);
}

TEST_CASE("tar: damaged archives are refused in words") {
  check_refused("", "it is empty");
  check_refused("no tar at all", "ends in the middle of a header");
  check_refused(std::string(512, 'x'), "damaged");
  std::string entry = tar_entry("x", "x");
  entry[3] = 'y';
  check_refused(entry, "it is no tar, or damaged");
  check_refused(tar_entry("x", std::string(2000, 'x')).substr(0, 1000), "in the middle of a file");
  check_refused(tar_entry("x", "12 path\n", 'x'), "extended header is damaged");
  check_refused(tar_entry("x", "99 path=a\n", 'x'), "extended header is damaged");
  CHECK_THROWS_AS(files_of("/nowhere/a.tar"), DataError);
}

}  // namespace
}  // namespace dml::testing
