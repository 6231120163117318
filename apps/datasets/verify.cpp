#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "apps/datasets/commands.hpp"
#include "data/check.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

/// The published counts of a split; none where nothing is published.
std::optional<Counts> expected_of(const ReadData& data, Split split) {
  if (!data.expected || split == Split::validation) return std::nullopt;
  const Expected& e = *data.expected;
  return split == Split::train ? Counts{e.train_images, e.train_classes}
                               : Counts{e.test_images, e.test_classes};
}

/// A file that somebody should look at.
struct Finding {
  std::string file, problem;
};

/// Looks at a dataset and tells what is wrong with it.
class Verification {
 public:
  Verification(const DataOptions& options, const Terminal& terminal)
      : options_(options), terminal_(terminal), data_(read_data(options, terminal)) {}

  int run() {
    text_ = fmt::format("{}  layout: {}\n", data_.name, data_.manifest.layout);
    json_ = {{"dataset", data_.name},
             {"root", data_.manifest.root.string()},
             {"layout", data_.manifest.layout}};
    for (const Split split : {Split::train, Split::validation, Split::test}) count(split);
    look();
    if (!options_.report.empty()) write_report();
    json_["ok"] = good_;
    terminal_.print(terminal_.json ? json_text(json_) : text_);
    return good_ ? exit_done : exit_data;
  }

 private:
  void count(Split split) {
    const Counts counts = data_.manifest.counts(split);
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
        fmt::format("  {:<10} {} images, {} classes   {}", name_of(split),
                    with_commas(counts.images), with_commas(counts.classes), verdict);
    text_ += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    json_["splits"][name_of(split)] = json;
  }

  void look() {
    const int threads = terminal_.open_device().threads();
    const auto& items = data_.manifest.items;
    const ImageCheck check = check_images(items, options_.deep, threads, keep_going);
    const auto twins = exact_duplicates(items, threads);
    for (const auto& problem : check.unreadable)
      findings_.push_back({name(problem.item), problem.text});
    for (const auto& [first, second] : twins)
      findings_.push_back({name(second), "the same bytes as " + name(first)});
    good_ = good_ && check.unreadable.empty();
    const std::string print = fingerprint(data_.manifest);
    text_ += fmt::format("  unreadable {}   exact duplicates {}   fingerprint {}\n",
                         check.unreadable.size(), twins.size(), print);
    constexpr std::size_t most = 10;
    for (std::size_t i = 0; i < std::min(most, findings_.size()); ++i)
      text_ += "  " + printable(first_line(findings_[i].problem, findings_[i].file)) + "\n";
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
      csv += csv_cell(one.file) + "," + csv_cell(problem) + "\n";
    }
    write_file_atomically(options_.report, csv);
  }

  const DataOptions& options_;
  const Terminal& terminal_;
  const ReadData data_;
  bool good_ = true;
  std::string text_;
  Json json_;
  std::vector<Finding> findings_;
};

}  // namespace

int verify_dataset(const DataOptions& options, const Terminal& terminal) {
  return Verification(options, terminal).run();
}

}  // namespace dml
