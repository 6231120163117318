#include "dml/schedule.hpp"

#include <regex>

#include "tests/golden/optimizer_run.hpp"

namespace dml::golden {
namespace {

/// How a schedule of PyTorch is called here, and its settings.
struct Ours {
  std::string name;
  Settings settings;
};

/// Moves a setting of the file under another name, if the file has it.
void take(const Case& given, Ours& ours, const char* theirs, const char* name) {
  if (given.says(theirs)) ours.settings[name] = given.text(theirs);
}

std::string in_words(const std::string& text) {
  return text == "cos" ? "cosine" : text == "abs" ? "absolute" : text == "rel" ? "relative" : text;
}

std::string joined(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(static_cast<std::int64_t>(number));
  return text;
}

/// "(e+1)/5 for e < 5, then 0.5^floor((e-5)/10)": a straight line, then steps.
Ours lambda(const std::string& formula) {
  const std::vector<double> n = numbers_in(formula);  // 1, 5, 5, 0.5, -5, 10
  const auto whole = [&](std::size_t i) {
    return std::to_string(static_cast<std::int64_t>(std::abs(n.at(i))));
  };
  const double width = n.at(1);
  return {"sequence",
          {{"parts", "linear start=" + exact(1 / width) +
                         " length=" + std::to_string(static_cast<std::int64_t>(width) - 1) +
                         "; step factor=" + exact(n.at(3)) + " every=" + whole(5)},
           {"at", whole(2)}}};
}

/// "LinearLR(0.1 -> 1, 5 iters), CosineAnnealingLR(T_max 20); milestone 5"
Ours sequential(const std::string& text) {
  std::smatch found;
  const std::regex form(
      R"(LinearLR\(([\d.]+) -> ([\d.]+), (\d+) iters\), CosineAnnealingLR\(T_max (\d+)\); milestone (\d+))");
  if (!std::regex_search(text, found, form)) throw FormatError("parts not understood: " + text);
  return {"sequence",
          {{"parts", "linear start=" + found[1].str() + " end=" + found[2].str() +
                         " length=" + found[3].str() + "; cosine length=" + found[4].str()},
           {"at", found[5]}}};
}

Ours one_cycle(const Case& given) {
  Ours ours{"one_cycle", {}};
  for (const char* same : {"base_momentum", "max_momentum", "div_factor", "final_div_factor",
                           "three_phase", "cycle_momentum"})
    take(given, ours, same, same);
  take(given, ours, "pct_start", "rise");
  if (given.says("anneal_strategy"))
    ours.settings["anneal"] = in_words(given.text("anneal_strategy"));
  const std::vector<double> top = given.numbers("max_lr");
  if (top.size() == 1) ours.settings["maximum"] = exact(top[0]);
  const std::int64_t length = given.says("total_steps")
                                  ? given.integer("total_steps")
                                  : given.integer("epochs") * given.integer("steps_per_epoch");
  ours.settings["length"] = std::to_string(length);
  return ours;
}

Ours plateau(const Case& given) {
  Ours ours{"plateau", {{"mode", "min"}}};
  for (const char* same : {"mode", "factor", "patience", "threshold", "cooldown", "eps"})
    take(given, ours, same, same);
  take(given, ours, "min_lr", "minimum");
  if (given.says("threshold_mode"))
    ours.settings["threshold_mode"] = in_words(given.text("threshold_mode"));
  return ours;
}

Ours schedule_of(const Case& given) {
  const std::string theirs = given.text("scheduler");
  if (theirs == "LambdaLR") return lambda(given.text("formula"));
  if (theirs == "SequentialLR") return sequential(given.text("parts"));
  if (theirs == "OneCycleLR") return one_cycle(given);
  if (theirs == "ReduceLROnPlateau") return plateau(given);
  const std::map<std::string, std::string> names{
      {"ConstantLR", "constant"},      {"StepLR", "step"},
      {"MultiStepLR", "multi_step"},   {"ExponentialLR", "exponential"},
      {"CosineAnnealingLR", "cosine"}, {"CosineAnnealingWarmRestarts", "cosine_restarts"},
      {"LinearLR", "linear"}};
  Ours ours{names.at(theirs), {}};
  for (const auto& [from, to] :
       std::vector<std::pair<const char*, const char*>>{{"gamma", "factor"},
                                                        {"factor", "factor"},
                                                        {"total_iters", "length"},
                                                        {"step_size", "every"},
                                                        {"T_max", "length"},
                                                        {"T_0", "length"},
                                                        {"T_mult", "growth"},
                                                        {"eta_min", "minimum"},
                                                        {"start_factor", "start"},
                                                        {"end_factor", "end"}})
    take(given, ours, from, to);
  if (theirs == "ConstantLR") {  // PyTorch's defaults where the file names none
    ours.settings.emplace("factor", exact(1.0 / 3));
    ours.settings.emplace("length", "5");
  }
  if (theirs == "StepLR" || theirs == "MultiStepLR") ours.settings.emplace("factor", "0.1");
  if (given.says("milestones")) ours.settings["milestones"] = joined(given.numbers("milestones"));
  return ours;
}

/// The rate of every group, and the momentum, in every row.
void rows(Run& run) {
  const Case& given = run.given();
  const Ours ours = schedule_of(given);
  const auto schedule = Registry<Schedule>::make(ours.name, ours.settings, {});
  std::vector<double> base = given.numbers("base_lr");
  if (given.says("max_lr") && given.numbers("max_lr").size() == base.size())
    base = given.numbers("max_lr");
  const bool by_step = ours.name == "one_cycle";
  const std::vector<double> metric =
      given.has("in.metric") ? doubles(run.tensor("in.metric")) : std::vector<double>{};
  std::vector<double> rates, momenta;
  for (std::int64_t t = 0; t < given.at("out.lr").dim(0); ++t) {
    const Moment moment = by_step ? Moment{0, t, given.at("out.lr").dim(0)} : Moment{t, 0, 1};
    for (const double lr : base) {
      rates.push_back(schedule->rate(moment, lr));
      momenta.push_back(schedule->momentum(moment).value_or(0.9));  // the optimizer's own is 0.9
    }
    if (!metric.empty())
      schedule->observe({.epoch = t, .metric = metric[static_cast<std::size_t>(t)]});
  }
  run.give("out.lr", matrix(rates, base.size()));
  run.give("out.momentum", matrix(momenta, base.size()));
}

const AddGolden schedule{"optim", "schedule", rows};

}  // namespace
}  // namespace dml::golden
