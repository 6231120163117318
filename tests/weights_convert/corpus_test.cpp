#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/places.hpp"
#include "weights_convert/weights.hpp"

namespace dml::weights {
namespace {

namespace fs = std::filesystem;

/// The folder of the checkpoint corpus: $DML_SHARED, or ../shared beside the source.
fs::path shared_folder() {
  const char* given = std::getenv("DML_SHARED");
  return given != nullptr ? fs::path(given) : testing::source_dir() / "../shared";
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw_bytes(), b.raw_bytes(), a.bytes()) == 0);
}

/// "" when the tensors are those of the file, else what differs first.
std::string difference(const NamedTensors& found, const fs::path& expected) {
  const SafeTensors wanted = read_safetensors(expected);
  if (found.size() != wanted.tensors.size())
    return std::to_string(found.size()) + " tensors, expected " +
           std::to_string(wanted.tensors.size());
  for (const auto& [name, tensor] : found) {
    const Tensor* other = wanted.find(name);
    if (other == nullptr) return "'" + name + "' is not expected";
    if (!equal(tensor, *other)) return "'" + name + "' differs";
  }
  return "";
}

/// What is wrong with the outcome of one row of the manifest; "" for nothing.
std::string judge(const nlohmann::json& row, const fs::path& folder) {
  const std::string expect = row["expect"];
  try {
    const Weights weights = read_weights(folder / row["file"].get<std::string>());
    if (expect == "error") return "was read, an error is expected";
    if (row.contains("expected"))
      return difference(weights.tensors, folder / row["expected"].get<std::string>());
    return "";
  } catch (const DataError& error) {
    const std::string text = error.what();
    if (expect == "tensors") return text;
    if (text.find('\n') != std::string::npos) return "the message has several lines: " + text;
    if (text.find(row["file"].get<std::string>()) == std::string::npos)
      return "the message does not name the file: " + text;
    return "";
  }
}

TEST_CASE("checkpoints: every row of the public corpus") {
  const fs::path folder = shared_folder() / "golden" / "checkpoints";
  if (!fs::exists(folder / "manifest.json")) {
    MESSAGE("no corpus here: " << folder);
    return;
  }
  int rows = 0;
  const auto manifest = nlohmann::json::parse(read_file(folder / "manifest.json"));
  for (const auto& row : manifest) {
    const std::string file = row["file"];
    CAPTURE(file);
    const auto start = std::chrono::steady_clock::now();
    CHECK(judge(row, folder) == "");
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    ++rows;
  }
  CHECK(rows > 180);
}

/// The first 16 digits of the SHA-256 of the elements and their sum, as expected.json states them.
void check_row(const Tensor& tensor, const nlohmann::json& row) {
  const std::map<std::string, DType> types = {{"float32", DType::f32}, {"int64", DType::i64}};
  CHECK(tensor.dtype() == types.at(row[0]));
  CHECK(tensor.shape() == row[1].get<Shape>());
  CHECK(sha256({tensor.raw_bytes(), tensor.bytes()}).substr(0, 16) == row[2].get<std::string>());
  double sum = 0;
  const Tensor wide = tensor.to(DType::f64);
  for (const double value : wide.data<double>()) sum += value;
  CHECK(sum == doctest::Approx(row[3].get<double>()).epsilon(1e-9));
}

TEST_CASE("checkpoints: foreign files from public repositories") {
  const fs::path folder = shared_folder() / "data" / "weights";
  if (!fs::exists(folder / "expected.json")) {
    MESSAGE("no foreign files here: " << folder);
    return;
  }
  const auto files = nlohmann::json::parse(read_file(folder / "expected.json"));
  for (const auto& listed : files.items()) {
    const std::string& file = listed.key();  // clang 14 lets no lambda have a structured binding
    const auto& expected = listed.value();
    CAPTURE(file);
    const Weights weights = read_weights(folder / file);
    CHECK(weights.format == "torch " + expected["container"].get<std::string>());
    CHECK(weights.tensors.size() == expected["tensors"].size());
    for (const auto& [path, row] : expected["tensors"].items()) {
      // There the names are paths: wrappers joined by slashes, prefixes kept.
      std::string name = path.substr(path.rfind('/') + 1);
      if (weights.prefix_stripped) name.erase(0, std::strlen("module."));
      if (name.empty()) name = "tensor";
      CAPTURE(name);
      const auto found = std::find_if(weights.tensors.begin(), weights.tensors.end(),
                                      [&](const auto& one) { return one.first == name; });
      REQUIRE(found != weights.tensors.end());
      check_row(found->second, row);
    }
  }
}

}  // namespace
}  // namespace dml::weights
