#include <doctest/doctest.h>

#include <cstring>

#include "dml/training/sinks.hpp"
#include "engine/crc32c.hpp"
#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml {
namespace {

using testing::TemporaryFolder;

std::uint64_t number(std::string_view bytes, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), size);
  return value;
}

/// The records of a file, both checksums of each compared.
std::vector<std::string> records_of(const std::string& bytes) {
  const auto masked = [](std::string_view part) {
    const std::uint32_t crc = crc32c(part);
    return (crc >> 15U | crc << 17U) + 0xA282EAD8U;
  };
  std::vector<std::string> records;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view rest = std::string_view(bytes).substr(at);
    REQUIRE(rest.size() >= 16);
    const std::size_t length = number(rest, 8);
    CHECK(number(rest.substr(8), 4) == masked(rest.substr(0, 8)));
    REQUIRE(rest.size() >= 16 + length);
    CHECK(number(rest.substr(12 + length), 4) == masked(rest.substr(12, length)));
    records.emplace_back(rest.substr(12, length));
    at += 16 + length;
  }
  return records;
}

std::string only_file(const TemporaryFolder& folder) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    CHECK(found.empty());
    CHECK(entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0);
    found = read_file(entry.path());
  }
  return found;
}

/// A field of a message: its number and wire type as one byte, a length, a text.
std::string text_field(unsigned key, const std::string& text) {
  return std::string{static_cast<char>(key), static_cast<char>(text.size())} + text;
}

TEST_CASE("crc32c: the values of RFC 3720") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
  CHECK(crc32c("") == 0);
}

TEST_CASE("tensorboard: records are framed, and hold tags, steps and values") {
  const TemporaryFolder folder;
  {
    const auto sink = tensorboard_file(folder.path(), 2);
    StepDone step;
    step.loss = 1.5;
    for (step.step = 1; step.step <= 300; step.step += 1) sink->on(step, 0);
    EpochDone epoch;
    epoch.step = 300;
    epoch.split = "test";
    epoch.metrics = {{"recall@1", 0.25}};
    sink->on(epoch, 0);
    sink->on(Warning{"nothing for TensorBoard"}, 0);
  }
  const std::vector<std::string> records = records_of(only_file(folder));
  REQUIRE(records.size() == 1 + 150 + 1);
  CHECK(records[0].find(text_field(0x1A, "brain.Event:2")) == 9);
  CHECK(records[1].substr(9, 2) == std::string("\x10\x02"));
  // summary.value {tag "train/loss", simple_value 1.5}
  const std::string loss = text_field(0x0A, "train/loss") + std::string("\x15\0\0\xC0\x3F", 5);
  CHECK(records[1].find(text_field(0x0A, loss)) != std::string::npos);
  CHECK(records[150].substr(9, 3) == std::string("\x10\xAC\x02"));  // 300 as a varint
  CHECK(records[151].find(text_field(0x0A, "test/recall@1") + std::string("\x15\0\0\x80\x3E", 5)) !=
        std::string::npos);
}

TEST_CASE("tensorboard: a run that goes on says from which step") {
  const TemporaryFolder folder;
  {
    const auto sink = tensorboard_file(folder.path(), 1);
    RunStarted run;
    run.step = 7;
    sink->on(run, 0);
  }
  const std::vector<std::string> records = records_of(only_file(folder));
  REQUIRE(records.size() == 2);
  CHECK(records[1].substr(9) == std::string("\x10\x08\x3A\x02\x08\x01"));
}

}  // namespace
}  // namespace dml
