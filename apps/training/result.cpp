#include "apps/training/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/common/records.hpp"
#include "apps/evaluation/record.hpp"
#include "dml/metric.hpp"
#include "dml/training/distances.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

/// "recall@1" is headed "R@1", "nmi" "NMI", "map@r" "MAP@R", "marp" "mARP".
std::string heading(const std::string& metric) {
  if (metric.rfind("recall@", 0) == 0) return "R@" + metric.substr(7);
  if (metric.rfind("marp", 0) == 0) return "mARP" + metric.substr(4);
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

/// How many neighbours of every test image are kept beside its embedding.
constexpr std::int64_t kept_neighbours = 10;

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
  const Measured before = session.measure(session.data().evaluation, keep_going);
  std::filesystem::create_directories(run.evaluation());
  write_file_atomically(before_file(run), json_text(object(before.result.figures)) + "\n");
  events.emit(EvalDone{0, 0, name_of(session.data().evaluation_split),
                       std::ssize(session.data().evaluation), before.result.figures,
                       distance_histograms(session.device(), before.set)});
}

std::string figures_table(const std::vector<std::pair<std::string, Figures>>& rows) {
  std::vector<std::string> names;
  for (const auto& [title, figures] : rows)
    for (const auto& [name, value] : figures)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::size_t left = 26;
  for (const auto& [title, figures] : rows) left = std::max(left, title.size());
  std::string table = fmt::format("{:<{}}", "", left + 2);
  const auto width = [](const std::string& name) {
    return std::max<std::size_t>(7, heading(name).size() + 2);
  };
  for (const std::string& name : names) table += fmt::format("{:>{}}", heading(name), width(name));
  for (const auto& [title, figures] : rows) {
    table += fmt::format("\n  {:<{}}", title, left);
    for (const std::string& name : names) {
      const double value = figure(figures, name, std::nan(""));
      table += fmt::format("{:>{}}", cell(name, value), width(name));
    }
  }
  return table;
}

namespace {

/// What eval/test.json says of its source, in the words of dmleval --json.
Json source_of(const Session& session, const RunFolder& run, const CheckpointPair& best,
               std::int64_t epoch) {
  const Metadata metadata = session.metadata();
  const bool honest = session.data().evaluation_split == Split::validation;
  return {{"run", run.path().string()},
          {"checkpoint", best.weights().string()},
          {"epoch", epoch},
          {"epoch_chosen_by",
           fmt::format("{} on the {} classes (protocol {})", session.config().text("select_by"),
                       name_of(session.data().evaluation_split), honest ? "honest" : "paper")},
          {"net", metadata.at("net")},
          {"features", "embedding"},
          {"dataset", metadata.at("dataset")},
          {"fingerprint", metadata.at("fingerprint")},
          {"split", "test"},
          {"preprocessing", Json::parse(metadata.at("preprocessing"))},
          {"image_size", session.config().integer("image_size")}};
}

}  // namespace

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
    const std::vector<Item>& images = session.data().test;
    if (!images.empty()) {
      load_all_weights(file, session.store(), best.weights().string());
      const Measured test = session.measure(images, keep_going, kept_neighbours);
      if (session.data().evaluation_split == Split::validation) {
        rows.emplace_back("this run, test", test.result.figures);
        json["test"] = {{"metrics", object(test.result.figures)}};
      }
      write_evaluation(run.evaluation(),
                       evaluation_json(source_of(session, run, best, json["best"]["epoch"]),
                                       test.set, test.result),
                       images, test.set, test.result);
    }
  }
  return {rows.empty() ? "nothing was evaluated"
                       : figures_table(rows) + "\nrun folder " + run.path().string(),
          json_text(json)};
}

}  // namespace dml
