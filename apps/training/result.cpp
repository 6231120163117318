#include "apps/training/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "dml/metric.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

/// "recall@1" is headed "R@1", "nmi" "NMI", "map@r" "MAP@R".
std::string heading(const std::string& metric) {
  if (metric.rfind("recall@", 0) == 0) return "R@" + metric.substr(7);
  std::string text = metric;
  if (text.size() <= 6)
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// Shares in per cent, other metrics as they are.
std::string cell(const std::string& metric, double value) {
  if (std::isnan(value)) return "-";
  bool share = true;
  try {
    share = make_metric(metric)->is_share();
  } catch (const UsageError&) {
    share = true;  // a published figure under a name that is no metric here
  }
  return share ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.4g}", value);
}

Json object(const Figures& figures) {
  Json json = Json::object();
  for (const auto& [name, value] : figures)
    json[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  return json;
}

Figures figures_from(const std::string& text) {
  Figures figures;
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_object())
    for (const auto& [name, value] : json.items())
      if (value.is_number()) figures.emplace_back(name, value.get<double>());
  return figures;
}

std::filesystem::path before_file(const RunFolder& run) { return run.evaluation() / "before.json"; }

}  // namespace

void measure_before(Session& session, const RunFolder& run, Events& events,
                    const std::function<bool()>& keep_going) {
  if (session.data().evaluation.empty()) return;
  const Measurement before = session.measure(session.data().evaluation, keep_going);
  std::filesystem::create_directories(run.evaluation());
  write_file_atomically(before_file(run), object(before.figures).dump(2) + "\n");
  events.emit(EvalDone{
      0, 0, "before training:", static_cast<std::int64_t>(session.data().evaluation.size()),
      before.figures});
}

std::string figures_table(const std::vector<std::pair<std::string, Figures>>& rows) {
  std::vector<std::string> names;
  for (const auto& [title, figures] : rows)
    for (const auto& [name, value] : figures)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::string table = fmt::format("{:<28}", "");
  const auto width = [](const std::string& name) {
    return std::max<std::size_t>(7, heading(name).size() + 2);
  };
  for (const std::string& name : names) table += fmt::format("{:>{}}", heading(name), width(name));
  for (const auto& [title, figures] : rows) {
    table += fmt::format("\n  {:<26}", title);
    for (const std::string& name : names) {
      const double value = figure(figures, name, std::nan(""));
      table += fmt::format("{:>{}}", cell(name, value), width(name));
    }
  }
  return table;
}

RunResult finish_run(Session& session, const RunFolder& run, const Preset& preset,
                     const std::function<bool()>& keep_going) {
  const CheckpointPair best = run.checkpoint("best");
  std::vector<std::pair<std::string, Figures>> rows;
  Json json = {{"run", run.path().string()},
               {"checkpoint", run.checkpoint("last").weights().string()},
               {"protocol", session.config().text("protocol")}};
  if (!preset.expected.empty() && preset.dataset() == session.config().name("dataset") &&
      session.data().published) {
    rows.emplace_back("published", preset.expected);
    json["published"] = object(preset.expected);
    json["published"]["source"] = preset.source;
  }
  if (std::filesystem::exists(before_file(run))) {
    const Figures before = figures_from(read_file(before_file(run)));
    rows.emplace_back("before training", before);
    json["before"] = {{"metrics", object(before)}};
  }
  if (best.exists()) {
    const SafeTensors file = read_safetensors(best.weights());
    const Figures chosen = figures_from(file.text("metrics"));
    const std::string split = name_of(session.data().evaluation_split);
    rows.emplace_back(fmt::format("this run, best on {}", split), chosen);
    json["best"] = {
        {"epoch", best.read_state().best_epoch}, {"split", split}, {"metrics", object(chosen)}};
    if (session.data().evaluation_split == Split::validation && !session.data().test.empty()) {
      load_all_weights(file, session.store(), best.weights().string());
      const Measurement test = session.measure(session.data().test, keep_going);
      rows.emplace_back("this run, test", test.figures);
      json["test"] = {{"metrics", object(test.figures)}};
    }
    std::filesystem::create_directories(run.evaluation());
    write_file_atomically(run.evaluation() / "test.json", json.dump(2) + "\n");
  }
  return {rows.empty() ? "nothing was evaluated"
                       : figures_table(rows) + "\nrun folder " + run.path().string(),
          json.dump(2)};
}

}  // namespace dml
