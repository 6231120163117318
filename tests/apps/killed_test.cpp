#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

#include "dml/training/run_folder.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t steps_of_epoch = 4;  // of rich_training

/// What a run is at, as its last line in metrics.jsonl tells.
enum class Phase { start, training, checkpoint, evaluation };

std::string name_of(Phase phase) {
  static constexpr const char* names[] = {"start", "training", "checkpoint", "evaluation"};
  return names[static_cast<int>(phase)];
}

bool ends_epoch(const nlohmann::json& event) {
  return event["event"] == "step" && event["step"].get<std::int64_t>() % steps_of_epoch == 0;
}

/// What goes on after the last of these events, of which one run wrote all.
Phase phase_after(const std::vector<nlohmann::json>& events) {
  if (events.empty()) return Phase::start;
  const std::string last = events.back()["event"];
  if (last == "step") return ends_epoch(events.back()) ? Phase::evaluation : Phase::checkpoint;
  if (last == "epoch") return Phase::checkpoint;
  if (last == "end") return Phase::evaluation;  // the best epoch is measured once more
  // The checkpoint of the best epoch is written between its evaluation and its row.
  const bool best = last == "checkpoint" && events.size() > 1 && ends_epoch(*(events.end() - 2));
  return best ? Phase::checkpoint : Phase::training;
}

/// The events from the `first` line on that tell where a run is.
std::vector<nlohmann::json> events_of(const fs::path& run_folder, std::size_t first) {
  std::vector<nlohmann::json> events;
  const std::vector<std::string> lines = lines_of(run_folder / "metrics.jsonl");
  for (std::size_t i = first; i < lines.size(); ++i) {
    auto event = nlohmann::json::parse(lines[i], nullptr, false);
    if (!event.is_object()) continue;
    if (event["event"] != "warning" && event["event"] != "notice") events.push_back(event);
  }
  return events;
}

/// Starts, or goes on with, a training that writes a checkpoint after every step.
std::vector<std::string> arguments_for(const fs::path& run_folder) {
  std::vector<std::string> more = {"--checkpoint-every", "1"};
  if (dml::RunFolder::holds_run(run_folder)) more.emplace_back("--resume");
  return rich_training(run_folder, more);
}

/// How long each phase takes on this machine, seconds: from the times in an undisturbed run.
std::map<Phase, double> durations() {
  const TempFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(run("dmltrain", arguments_for(out)).status == 0);
  const std::vector<nlohmann::json> events = events_of(out, 0);
  std::map<Phase, double> sums, counts;
  for (std::size_t i = 1; i < events.size(); ++i) {
    const Phase phase = phase_after({events.begin(), events.begin() + static_cast<long>(i)});
    sums[phase] += events[i]["t"].get<double>() - events[i - 1]["t"].get<double>();
    ++counts[phase];
  }
  for (auto& [phase, sum] : sums) sum /= counts[phase];
  return sums;
}

/// Waits until a run has entered that phase for the `times`-th time. False when it ended before.
bool entered(Process& process, const fs::path& run_folder, std::size_t first_line, Phase wanted,
             int times) {
  using namespace std::chrono_literals;
  std::size_t seen = 0;
  for (int i = 0; i < 60000; ++i) {
    const std::vector<nlohmann::json> events = events_of(run_folder, first_line);
    for (; seen < events.size(); ++seen) {
      const auto end = events.begin() + static_cast<long>(seen) + 1;
      if (phase_after({events.begin(), end}) == wanted && --times == 0) return true;
    }
    if (process.ended()) return false;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

}  // namespace

// The moments are chosen by what the run tells of itself, not by the clock, so that they fall into
// training, writing and evaluating on a slow machine as well.
TEST_CASE("nothing lost: killed at twenty random moments, a run ends with the same bytes") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::map<Phase, double> takes = durations();
  const std::vector<Phase> wanted = {Phase::training, Phase::checkpoint, Phase::evaluation};
  std::map<Phase, int> fell;
  const auto enough = [&](int kills) {
    return kills >= 20 && fell[Phase::training] > 2 && fell[Phase::checkpoint] > 2 &&
           fell[Phase::evaluation] > 2;
  };
  int kills = 0;
  while (!enough(kills)) {
    REQUIRE_MESSAGE(kills < 60, "the kills do not reach every phase");
    const TempFolder folder;
    const fs::path out = folder / "run";
    std::optional<Outcome> ended;
    while (!ended && !enough(kills)) {
      const std::size_t first_line = lines_of(out / "metrics.jsonl").size();
      const Phase phase = wanted[static_cast<std::size_t>(kills) % wanted.size()];
      const int times = phase == Phase::evaluation ? 1 : 1 + static_cast<int>(random() % 3);
      Process process("dmltrain", arguments_for(out));
      if (entered(process, out, first_line, phase, times)) {
        // Not to its very end: the next phase is what a late kill falls into.
        const double share = std::uniform_real_distribution<>(0, 0.8)(random);
        std::this_thread::sleep_for(std::chrono::duration<double>(share * takes.at(phase)));
      }
      const bool alive = !process.ended();
      process.signal(SIGKILL);
      const Outcome outcome = process.wait();
      if (alive && outcome.status == 128 + SIGKILL) {
        ++kills;
        ++fell[phase_after(events_of(out, first_line))];
      } else {
        ended = outcome;
      }
    }
    if (!ended) ended = run("dmltrain", arguments_for(out));
    REQUIRE_MESSAGE(ended->status == 0, ended->err);
    CHECK(last_weights(out) == undisturbed_rich());
    CHECK(clean(out / "checkpoints"));
  }
  for (const auto& [phase, count] : fell) MESSAGE("kills during ", name_of(phase), ": ", count);
}
