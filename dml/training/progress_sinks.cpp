#include <fmt/format.h>

#include <algorithm>

#include "dml/training/sinks.hpp"
#include "engine/error.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

/// How many cells of a terminal a text of ASCII needs at most.
std::string cut(std::string text, int columns) {
  if (static_cast<int>(text.size()) > columns) text.resize(static_cast<std::size_t>(columns));
  return text;
}

class Bar final : public Sink {
 public:
  Bar(std::FILE* out, int columns) : out_(out), columns_(std::max(40, columns)) {}
  ~Bar() override { wipe(); }

  void on(const Event& event, double seconds) override {
    const std::string line = narrate_(event, seconds);
    if (const auto* step = std::get_if<StepDone>(&event)) {
      const bool due = seconds - drawn_at_ > 0.1 || step->step_in_epoch == step->steps_in_epoch;
      if (due) draw(narrate_.step_line(*step, seconds), seconds);
    } else if (!line.empty()) {
      wipe();
      std::fprintf(out_, "%s\n", line.c_str());
      std::fflush(out_);
    }
  }

 private:
  void draw(const std::string& text, double seconds) {
    const int cells = 16;
    const int full = static_cast<int>(narrate_.share() * cells + 0.5);
    const std::string bar = "[" + std::string(static_cast<std::size_t>(full), '#') +
                            std::string(static_cast<std::size_t>(cells - full), '.') + "] ";
    std::fprintf(out_, "\r\x1b[K%s", cut(bar + text, columns_ - 1).c_str());
    std::fflush(out_);
    drawn_ = true;
    drawn_at_ = seconds;
  }
  void wipe() {
    if (drawn_) std::fputs("\r\x1b[K", out_);
    drawn_ = false;
  }

  std::FILE* out_;
  int columns_;
  Narrator narrate_;
  bool drawn_ = false;
  double drawn_at_ = -1;
};

class Lines final : public Sink {
 public:
  Lines(std::FILE* out, std::int64_t every) : out_(out), every_(std::max<std::int64_t>(0, every)) {}

  void on(const Event& event, double seconds) override {
    std::string line = narrate_(event, seconds);
    if (const auto* step = std::get_if<StepDone>(&event))
      if (every_ > 0 && step->step % every_ == 0) line = narrate_.step_line(*step, seconds);
    if (line.empty()) return;
    std::fprintf(out_, "%s\n", line.c_str());
    std::fflush(out_);
  }

 private:
  std::FILE* out_;
  std::int64_t every_;
  Narrator narrate_;
};

class JsonLines final : public Sink {
 public:
  JsonLines(std::FILE* out, std::int64_t every) : out_(out), every_(every) {}

  void on(const Event& event, double seconds) override {
    if (const auto* step = std::get_if<StepDone>(&event))
      if (every_ < 1 || step->step % every_ != 0) return;
    std::fprintf(out_, "%s\n", json_of(event, seconds).c_str());
    std::fflush(out_);
  }

 private:
  std::FILE* out_;
  std::int64_t every_;
};

class Warnings final : public Sink {
 public:
  explicit Warnings(std::FILE* out) : out_(out) {}
  void on(const Event& event, double) override {
    if (const auto* warning = std::get_if<Warning>(&event))
      std::fprintf(out_, "warning: %s\n", warning->text.c_str());
  }

 private:
  std::FILE* out_;
};

}  // namespace

Progress progress_of(const std::string& name, bool terminal) {
  const std::string word = canonical(name);
  if (word == "auto") return terminal ? Progress::bar : Progress::lines;
  if (word == "bar") return Progress::bar;
  if (word == "lines") return Progress::lines;
  if (word == "json") return Progress::json;
  if (word == "none") return Progress::none;
  throw UsageError("progress: '" + name + "' is not a choice" +
                   suggestion(name, {"auto", "bar", "lines", "json", "none"}));
}

std::unique_ptr<Sink> progress_bar(std::FILE* out, int columns) {
  return std::make_unique<Bar>(out, columns);
}
std::unique_ptr<Sink> progress_lines(std::FILE* out, std::int64_t every) {
  return std::make_unique<Lines>(out, every);
}
std::unique_ptr<Sink> json_lines(std::FILE* out, std::int64_t every) {
  return std::make_unique<JsonLines>(out, every);
}
std::unique_ptr<Sink> warnings_only(std::FILE* out) { return std::make_unique<Warnings>(out); }

}  // namespace dml
