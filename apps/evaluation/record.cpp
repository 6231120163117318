#include "apps/evaluation/record.hpp"

#include <fmt/format.h>

#include <cmath>

#include "apps/common/records.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

std::string labels_csv(const std::vector<Item>& items) {
  std::string csv = "row,path,label,query,gallery\n";
  for (std::size_t i = 0; i < items.size(); ++i)
    csv += fmt::format("{},{},{},{:d},{:d}\n", i, csv_cell(items[i].file.string()), items[i].label,
                       items[i].query, items[i].gallery);
  return csv;
}

}  // namespace

Json evaluation_json(Json about, const RetrievalSet& set, const Measurement& result) {
  about["images"] = set.labels.size();
  about["size"] = set.embeddings.dim(1);
  about["protocol"] = result.protocol;
  for (const auto& [name, value] : result.figures)
    about["metrics"][name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  return about;
}

void write_neighbours(const std::filesystem::path& file, const Measurement& result) {
  const Neighbours& found = result.evaluation.neighbours;
  write_npy(file, Tensor::of<std::int32_t>({found.queries, found.k}, found.index));
}

void write_evaluation(const std::filesystem::path& folder, const Json& record,
                      const std::vector<Item>& items, const RetrievalSet& set,
                      const Measurement& result) {
  std::filesystem::create_directories(folder);
  write_npy(folder / "embeddings.npy", set.embeddings);
  write_neighbours(folder / "neighbours.npy", result);
  write_file_atomically(folder / "labels.csv", labels_csv(items));
  write_file_atomically(folder / "test.json", json_text(record) + "\n");
}

}  // namespace dml
