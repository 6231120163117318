#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "dml/training/sinks.hpp"
#include "engine/error.hpp"
#include "engine/file.hpp"
#include "engine/schema.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// The whole lines of a file; a line that a killed process left unfinished is cut off the file.
std::vector<std::string> whole_lines(const fs::path& file) {
  std::vector<std::string> lines;
  if (!fs::exists(file)) return lines;
  const std::string text = read_file(file);
  const std::size_t end = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (end < text.size()) fs::resize_file(file, end);
  std::istringstream stream(text.substr(0, end));
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// A text file that only grows.
class Appender {
 public:
  explicit Appender(const fs::path& file) : file_(file), out_(file, std::ios::app) {
    if (!out_) throw DataError(file.string() + ": cannot be opened for writing");
  }
  void line(const std::string& text) {
    errno = 0;
    out_ << text << '\n' << std::flush;
    if (!out_) throw Error(file_.string() + ": writing failed: " + std::strerror(errno));
  }

 private:
  fs::path file_;
  std::ofstream out_;
};

std::int64_t step_of(const Event& event) {
  return std::visit(
      [](const auto& one) -> std::int64_t {
        if constexpr (requires { one.step; }) return one.step;
        return 0;
      },
      event);
}

/// A run that goes on repeats, bit for bit, what was done between its last checkpoint and its end;
/// the file has told that already, so nothing at or below the last step of a kind is written again.
class MetricsFile final : public Sink {
 public:
  MetricsFile(const fs::path& file, std::int64_t every)
      : told_(already_told(file)), out_(file), every_(every) {}

  void on(const Event& event, double seconds) override {
    if (const auto* step = std::get_if<StepDone>(&event))
      if (every_ < 1 || step->step % every_ != 0) return;
    const bool repeats = std::holds_alternative<StepDone>(event) ||
                         std::holds_alternative<EpochDone>(event) ||
                         std::holds_alternative<EvalDone>(event);
    const std::string line = json_of(event, seconds);
    if (repeats) {
      const std::string kind = nlohmann::json::parse(line).at("event");
      const auto last = told_.find(kind);
      if (last != told_.end() && step_of(event) <= last->second) return;
    }
    out_.line(line);
  }

 private:
  static std::map<std::string, std::int64_t> already_told(const fs::path& file) {
    std::map<std::string, std::int64_t> told;
    for (const std::string& line : whole_lines(file)) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (!json.is_object() || !json.contains("event") || !json.contains("step")) continue;
      std::int64_t& last = told[json["event"].get<std::string>()];
      last = std::max(last, json["step"].get<std::int64_t>());
    }
    return told;
  }

  std::map<std::string, std::int64_t> told_;
  Appender out_;
  std::int64_t every_;
};

class EpochsFile final : public Sink {
 public:
  EpochsFile(const fs::path& file, std::vector<std::string> metrics)
      : metrics_(std::move(metrics)), rows_(whole_lines(file)), out_(file) {
    for (const std::string& row : rows_) seen_.insert(row.substr(0, row.find(',')));
    if (!rows_.empty()) return;
    std::string header = "epoch,step,loss,lr,images,split";
    for (const std::string& metric : metrics_) header += "," + metric;
    out_.line(header);
  }

  void on(const Event& event, double) override {
    const auto* epoch = std::get_if<EpochDone>(&event);
    if (epoch == nullptr || seen_.count(std::to_string(epoch->epoch)) != 0) return;
    std::string row =
        fmt::format("{},{},{},{},{},{}", epoch->epoch, epoch->step, schema::text_of(epoch->loss),
                    schema::text_of(epoch->learning_rate), epoch->images, epoch->split);
    for (const std::string& metric : metrics_) {
      const double value = figure(epoch->metrics, metric, std::nan(""));
      row += "," + (std::isnan(value) ? std::string() : schema::text_of(value));
    }
    out_.line(row);
  }

 private:
  std::vector<std::string> metrics_;
  std::vector<std::string> rows_;
  std::set<std::string> seen_;
  Appender out_;
};

class LogFile final : public Sink {
 public:
  LogFile(const fs::path& file, std::int64_t every) : out_(file), every_(every) {}

  void on(const Event& event, double seconds) override {
    std::string line = narrate_(event, seconds);
    if (const auto* step = std::get_if<StepDone>(&event))
      if (every_ > 0 && step->step % every_ == 0) line = narrate_.step_line(*step, seconds);
    if (const auto* checkpoint = std::get_if<CheckpointWritten>(&event))
      line = "checkpoint " + checkpoint->file.string();
    if (line.empty()) return;
    std::istringstream lines(line);
    for (std::string one; std::getline(lines, one);)
      out_.line(fmt::format("{:%Y-%m-%d %H:%M:%S}  {}", fmt::localtime(std::time(nullptr)), one));
  }

 private:
  Appender out_;
  std::int64_t every_;
  Narrator narrate_;
};

}  // namespace

std::unique_ptr<Sink> metrics_file(const fs::path& file, std::int64_t every) {
  return std::make_unique<MetricsFile>(file, every);
}
std::unique_ptr<Sink> epochs_file(const fs::path& file, const std::vector<std::string>& metrics) {
  return std::make_unique<EpochsFile>(file, metrics);
}
std::unique_ptr<Sink> log_file(const fs::path& file, std::int64_t every) {
  return std::make_unique<LogFile>(file, every);
}

}  // namespace dml
