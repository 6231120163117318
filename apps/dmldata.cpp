#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/common/dataset.hpp"
#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "data/check.hpp"
#include "engine/config.hpp"
#include "engine/file.hpp"

namespace {

using Json = nlohmann::ordered_json;
using dml::Split;

constexpr std::array splits = {Split::train, Split::validation, Split::test};

/// What the command line says.
struct Options {
  std::string name, folder, report;
  std::vector<std::string> set;
  bool deep = false;
  CLI::App* list = nullptr;
  CLI::App* verify = nullptr;
  CLI::App* stats = nullptr;
};

void add_place(CLI::App& command, Options& options) {
  command.add_option("NAME", options.name, "a dataset out of dmldata list")->required();
  command.add_option("DIR", options.folder, "its folder; $DML_DATA_DIR or ./data without");
  command
      .add_option("--set", options.set,
                  "an option of the dataset, as in --set dataset.train_classes=41")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

void add_flags(CLI::App& app, Options& options) {
  app.require_subcommand(1);
  options.list = app.add_subcommand("list", "the datasets that can be read");
  options.verify =
      app.add_subcommand("verify", "counts, unreadable files, exact duplicates, fingerprint");
  add_place(*options.verify, options);
  options.verify->add_flag("--deep,!--no-deep", options.deep, "decode every pixel, not the heads");
  options.verify
      ->add_option("--fix-report", options.report,
                   "writes a CSV with a row for each file to be fixed")
      ->type_name("FILE");
  options.stats = app.add_subcommand("stats", "images per class, sizes of images");
  add_place(*options.stats, options);
}

/// 59551 as "59,551".
std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

int list(const dml::Terminal& terminal) {
  Json json = Json::array();
  std::string text;
  for (const auto& [name, entry] : dml::Registry<dml::Dataset>::entries()) {
    json.push_back({{"name", name},
                    {"summary", entry.about.summary},
                    {"paper", entry.about.paper},
                    {"aliases", entry.about.aliases}});
    text += fmt::format("{:<16} {}\n", name, entry.about.summary);
  }
  terminal.print(terminal.json ? dml::json_text({{"datasets", json}}) : text);
  return dml::exit_done;
}

dml::Settings settings(const Options& options) {
  dml::Settings result;
  for (const std::string& text : options.set) {
    const dml::Given one = dml::parse_assignment(text);
    if (one.key.rfind("dataset.", 0) != 0)
      throw dml::UsageError("--set: only options of the dataset, as in dataset.train_classes=41");
    result[one.key.substr(8)] = one.text;
  }
  return result;
}

/// A dataset with what is published of it.
struct Read {
  std::string name;
  dml::Manifest manifest;
  std::optional<dml::Expected> expected;
};

Read read(const Options& options, const dml::Terminal& terminal) {
  const std::filesystem::path folder = dml::data_folder(options.folder);
  const auto tell = [&](const std::string& text) { terminal.note(text); };
  Read result;
  result.name = dml::Registry<dml::Dataset>::find(options.name).about.name;
  result.manifest = dml::read_dataset(result.name, settings(options), folder, tell);
  result.expected = dml::Registry<dml::Dataset>::make(result.name, settings(options),
                                                      {.root = folder, .notice = {}})
                        ->expected();
  return result;
}

/// The published counts of a split; none where nothing is published.
std::optional<dml::Counts> expected_of(const Read& data, Split split) {
  if (!data.expected || split == Split::validation) return std::nullopt;
  const dml::Expected& e = *data.expected;
  return split == Split::train ? dml::Counts{e.train_images, e.train_classes}
                               : dml::Counts{e.test_images, e.test_classes};
}

/// A file that somebody should look at.
struct Finding {
  std::string file, problem;
};

/// Looks at a dataset and tells what is wrong with it.
class Verification {
 public:
  Verification(const Options& options, const dml::Terminal& terminal)
      : options_(options), terminal_(terminal), data_(read(options, terminal)) {}

  int run() {
    text_ = fmt::format("{}  layout: {}\n", data_.name, data_.manifest.layout);
    json_ = {{"dataset", data_.name},
             {"root", data_.manifest.root.string()},
             {"layout", data_.manifest.layout}};
    for (const Split split : splits) count(split);
    look();
    if (!options_.report.empty()) write_report();
    json_["ok"] = good_;
    terminal_.print(terminal_.json ? dml::json_text(json_) : text_);
    return good_ ? dml::exit_done : dml::exit_data;
  }

 private:
  void count(Split split) {
    const dml::Counts counts = data_.manifest.counts(split);
    const auto wanted = expected_of(data_, split);
    if (counts.images == 0 && !wanted) return;
    std::string verdict = wanted ? "ok" : "";
    Json json = {{"images", counts.images}, {"classes", counts.classes}};
    if (wanted) json["expected"] = {{"images", wanted->images}, {"classes", wanted->classes}};
    if (wanted && !(counts == *wanted)) {
      good_ = false;
      verdict = fmt::format("WRONG: published {} images, {} classes", with_commas(wanted->images),
                            with_commas(wanted->classes));
    }
    std::string line =
        fmt::format("  {:<10} {} images, {} classes   {}", dml::name_of(split),
                    with_commas(counts.images), with_commas(counts.classes), verdict);
    text_ += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    json_["splits"][dml::name_of(split)] = json;
  }

  void look() {
    const int threads = terminal_.open_device().threads();
    const auto& items = data_.manifest.items;
    const dml::ImageCheck check = dml::check_images(items, options_.deep, threads, dml::keep_going);
    const auto twins = dml::exact_duplicates(items, threads);
    for (const auto& problem : check.unreadable)
      findings_.push_back({name(problem.item), problem.text});
    for (const auto& [first, second] : twins)
      findings_.push_back({name(second), "the same bytes as " + name(first)});
    good_ = good_ && check.unreadable.empty();
    const std::string print = dml::fingerprint(data_.manifest);
    text_ += fmt::format("  unreadable {}   exact duplicates {}   fingerprint {}\n",
                         check.unreadable.size(), twins.size(), print);
    constexpr std::size_t most = 10;
    for (std::size_t i = 0; i < std::min(most, findings_.size()); ++i)
      text_ += "  " + dml::printable(first_line(findings_[i].problem, findings_[i].file)) + "\n";
    if (findings_.size() > most)
      text_ += fmt::format("  and {} more; --fix-report FILE lists all\n", findings_.size() - most);
    json_["unreadable"] = Json::array();
    for (const auto& problem : check.unreadable)
      json_["unreadable"].push_back({{"file", name(problem.item)}, {"problem", problem.text}});
    json_["duplicates"] = Json::array();
    for (const auto& [first, second] : twins)
      json_["duplicates"].push_back({name(first), name(second)});
    json_["deep"] = options_.deep;
    json_["fingerprint"] = print;
  }

  std::string name(std::int64_t item) const {
    return data_.manifest.items[static_cast<std::size_t>(item)].file.string();
  }

  /// Problems of pictures begin with the file's name, others do not.
  static std::string first_line(const std::string& problem, const std::string& file) {
    const std::string line = problem.substr(0, problem.find('\n'));
    return line.rfind(file, 0) == 0 ? line : file + ": " + line;
  }

  void write_report() const {
    std::string csv = "file,problem\n";
    for (const Finding& one : findings_) {
      std::string problem = one.problem;
      std::replace(problem.begin(), problem.end(), '\n', ' ');
      csv += dml::csv_cell(one.file) + "," + dml::csv_cell(problem) + "\n";
    }
    dml::write_file_atomically(options_.report, csv);
  }

  const Options& options_;
  const dml::Terminal& terminal_;
  const Read data_;
  bool good_ = true;
  std::string text_;
  Json json_;
  std::vector<Finding> findings_;
};

/// Smallest, median, largest and mean of some numbers.
struct Spread {
  std::int64_t least = 0, median = 0, most = 0;
  double mean = 0;
};

Spread spread_of(std::vector<std::int64_t> numbers) {
  if (numbers.empty()) return {};
  std::sort(numbers.begin(), numbers.end());
  double sum = 0;
  for (const std::int64_t number : numbers) sum += static_cast<double>(number);
  return {numbers.front(), numbers[(numbers.size() - 1) / 2], numbers.back(),
          sum / static_cast<double>(numbers.size())};
}

int stats(const Options& options, const dml::Terminal& terminal) {
  const Read data = read(options, terminal);
  const dml::ImageCheck check = dml::check_images(
      data.manifest.items, false, terminal.open_device().threads(), dml::keep_going);
  Json json = {{"dataset", data.name}, {"root", data.manifest.root.string()}};
  std::string text =
      fmt::format("{:<34}{:>9}{:>9}{:>9}{:>11}\n", data.name, "least", "median", "most", "mean");
  const auto add = [&](Split split, const std::string& what, const std::string& key,
                       std::vector<std::int64_t> numbers) {
    const Spread s = spread_of(std::move(numbers));
    text += fmt::format("  {:<32}{:>9}{:>9}{:>9}{:>11.1f}\n",
                        fmt::format("{}: {}", dml::name_of(split), what), s.least, s.median, s.most,
                        s.mean);
    json["splits"][dml::name_of(split)][key] = {
        {"least", s.least}, {"median", s.median}, {"most", s.most}, {"mean", s.mean}};
  };
  for (const Split split : splits) {
    std::map<std::int64_t, std::int64_t> per_class;
    std::vector<std::int64_t> widths, heights, sizes;
    for (std::size_t i = 0; i < data.manifest.items.size(); ++i) {
      if (data.manifest.items[i].split != split) continue;
      ++per_class[data.manifest.items[i].label];
      if (check.sizes[i] == dml::Size{}) continue;  // cannot be read
      widths.push_back(check.sizes[i].width);
      heights.push_back(check.sizes[i].height);
    }
    if (per_class.empty()) continue;
    for (const auto& [label, images] : per_class) sizes.push_back(images);
    json["splits"][dml::name_of(split)] = {{"images", data.manifest.counts(split).images},
                                           {"classes", per_class.size()}};
    add(split, "images of a class", "images_per_class", std::move(sizes));
    add(split, "width, pixels", "width", std::move(widths));
    add(split, "height, pixels", "height", std::move(heights));
  }
  json["unreadable"] = check.unreadable.size();
  if (!check.unreadable.empty())
    text += fmt::format("  {} images cannot be read; dmldata verify names them\n",
                        check.unreadable.size());
  terminal.print(terminal.json ? dml::json_text(json) : text);
  return dml::exit_done;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  return dml::run_tool(argc, argv,
                       {.name = "dmldata",
                        .summary = "lists, checks and counts datasets",
                        .examples = {"dmldata list", "dmldata verify cub200 data --deep",
                                     "dmldata stats folder photos --json"},
                        .flags = [&](CLI::App& app) { add_flags(app, options); },
                        .run =
                            [&](const dml::Terminal& terminal) {
                              dml::listen_for_interrupts();
                              if (options.list->parsed()) return list(terminal);
                              if (options.stats->parsed()) return stats(options, terminal);
                              return Verification(options, terminal).run();
                            }});
}
