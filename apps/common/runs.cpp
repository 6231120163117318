#include "apps/common/runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <sstream>

#include "apps/common/records.hpp"
#include "apps/training/result.hpp"
#include "dml/metric.hpp"
#include "dml/training/run_folder.hpp"
#include "engine/config.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::chrono::minutes silence{10};  ///< of a run that counts as running still
constexpr std::size_t fixed_columns = 6;     ///< of epochs.csv, before the metrics

/// The last whole line of a file; empty without one. Long files are not read whole.
std::string last_line(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const auto size = static_cast<std::int64_t>(in.tellg());
  const std::int64_t length = std::min<std::int64_t>(size, 1 << 16);
  std::string text(static_cast<std::size_t>(length), '\0');
  in.seekg(size - length);
  in.read(text.data(), length);
  const std::size_t end = text.rfind('\n');
  if (end == std::string::npos) return "";
  const std::size_t begin = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
  return text.substr(begin == std::string::npos ? 0 : begin + 1, end - begin - 1);
}

std::string state_of(const RunFolder& run) {
  const Json event = Json::parse(last_line(run.metrics()), nullptr, false);
  if (event.is_object() && event.value("event", "") == "end")
    return event.value("interrupted", false) ? "interrupted" : "done";
  std::error_code unknown;
  const fs::path& written = fs::exists(run.log(), unknown) ? run.log() : run.config();
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(written, unknown);
  return !unknown && age < silence ? "running" : "stopped";
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
  return cells;
}

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || std::isnan(value)) return std::nullopt;
  return value;
}

bool larger_is_better(const std::string& metric) {
  try {
    return make_metric(metric)->larger_is_better();
  } catch (const UsageError&) {
    return true;  // of a run of another version
  }
}

/// The epochs that are told, and the figures of the best of them.
void read_epochs(const fs::path& file, RunSummary& run) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return;
  const std::vector<std::string> names = cells_of(line);
  const bool larger = larger_is_better(run.selected);
  double best = std::nan("");
  while (std::getline(in, line)) {
    if (in.eof()) break;  // half a line of a run that was killed, or is writing
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() < 2) continue;
    run.epochs = static_cast<std::int64_t>(number(cells[0]).value_or(0));
    run.step = static_cast<std::int64_t>(number(cells[1]).value_or(0));
    Figures figures;
    for (std::size_t i = fixed_columns; i < std::min(cells.size(), names.size()); ++i)
      if (const auto value = number(cells[i])) figures.emplace_back(names[i], *value);
    const double chosen = figure(figures, run.selected, std::nan(""));
    if (figures.empty()) continue;
    const bool better =
        std::isnan(best) || (!std::isnan(chosen) && (larger ? chosen > best : chosen < best));
    if (!better) continue;
    best = chosen;
    run.best = run.epochs;
    run.figures = std::move(figures);
  }
}

RunSummary summary_of(const fs::path& folder, const std::string& name) {
  const RunFolder files = RunFolder::open(folder);
  RunSummary run{.folder = folder,
                 .name = name,
                 .preset = "",
                 .state = state_of(files),
                 .selected = "recall@1",
                 .figures = {}};
  try {
    for (const Given& one : read_toml(files.config(), Layer::file)) {
      if (one.key == "preset") run.preset = one.text;
      if (one.key == "select_by") run.selected = one.text;
    }
  } catch (const Error&) {
    run.state = "unreadable";
  }
  read_epochs(files.epochs(), run);
  return run;
}

}  // namespace

std::vector<RunSummary> find_runs(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw DataError(folder.string() + ": there is no such folder\n  dmltrain -o " +
                    (folder / "NAME").string() + " leaves a run in it");
  std::vector<RunSummary> runs;
  if (RunFolder::holds_run(folder))
    return {summary_of(folder, fs::absolute(folder).lexically_normal().filename().string())};
  constexpr auto skip = fs::directory_options::skip_permission_denied;
  for (auto at = fs::recursive_directory_iterator(folder, skip);
       at != fs::recursive_directory_iterator(); ++at) {
    if (!at->is_directory() || !RunFolder::holds_run(at->path())) continue;
    at.disable_recursion_pending();
    runs.push_back(summary_of(at->path(), at->path().lexically_relative(folder).generic_string()));
  }
  std::sort(runs.begin(), runs.end(),
            [](const RunSummary& a, const RunSummary& b) { return a.name < b.name; });
  return runs;
}

std::vector<RunSummary> ordered(std::vector<RunSummary> runs, const RunListing& how) {
  if (!how.filter.empty()) {
    try {
      const std::regex wanted(how.filter);
      std::erase_if(runs,
                    [&](const RunSummary& run) { return !std::regex_search(run.name, wanted); });
    } catch (const std::regex_error& error) {
      throw UsageError("--filter: '" + how.filter + "' is no regular expression: " + error.what());
    }
  }
  std::string metric = how.sort;
  std::vector<std::string> known;
  std::map<std::string, int> selected;
  for (const RunSummary& run : runs) {
    ++selected[run.selected];
    if (selected[run.selected] > selected[metric] && how.sort.empty()) metric = run.selected;
    for (const auto& one : run.figures)
      if (std::find(known.begin(), known.end(), one.first) == known.end())
        known.push_back(one.first);
  }
  if (!how.sort.empty() && !known.empty() &&
      std::find(known.begin(), known.end(), metric) == known.end())
    throw UsageError("--sort: no run has measured '" + metric + "'" + suggestion(metric, known));
  const double sign = larger_is_better(metric) ? 1 : -1;
  const auto value = [&](const RunSummary& run) {
    const double of_run = sign * figure(run.figures, metric, std::nan(""));
    return std::isnan(of_run) ? -std::numeric_limits<double>::infinity() : of_run;
  };
  std::stable_sort(runs.begin(), runs.end(),
                   [&](const RunSummary& a, const RunSummary& b) { return value(a) > value(b); });
  return runs;
}

std::string runs_table(const std::vector<RunSummary>& runs) {
  std::size_t longest = 0;
  for (const RunSummary& run : runs) longest = std::max(longest, run.name.size());
  std::vector<std::pair<std::string, Figures>> rows;
  for (const RunSummary& run : runs)
    rows.emplace_back(fmt::format("{:<{}}  {:<11} {:>4} / {:<4}", run.name, longest, run.state,
                                  run.best > 0 ? std::to_string(run.best) : "-", run.epochs),
                      run.figures);
  return figures_table(rows) + "\n  best / last epoch, and the figures of the best";
}

std::string runs_json(const std::vector<RunSummary>& runs) {
  Json list = Json::array();
  for (const RunSummary& run : runs) {
    Json figures = Json::object();
    for (const auto& one : run.figures) figures[one.first] = one.second;
    list.push_back({{"run", run.folder.string()},
                    {"name", run.name},
                    {"preset", run.preset},
                    {"state", run.state},
                    {"select_by", run.selected},
                    {"best_epoch", run.best > 0 ? Json(run.best) : Json(nullptr)},
                    {"epochs", run.epochs},
                    {"step", run.step},
                    {"metrics", figures}});
  }
  return json_text({{"runs", list}});
}

}  // namespace dml
