#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/text.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

using dml::testing::contains;

/// Three runs: two that ended, in folders of different depth, and one that has no end.
struct Runs {
  TempFolder folder;
  fs::path all = folder / "runs";

  Runs() {
    REQUIRE(run("dmltrain", tiny_training(all / "small")).status == 0);
    REQUIRE(run("dmltrain", tiny_training(all / "more/large", {"--lr", "1e-2"})).status == 0);
    fs::create_directories(all / "killed");
    fs::copy(all / "small", all / "killed", fs::copy_options::recursive);
    std::vector<std::string> lines = lines_of(all / "killed/metrics.jsonl");
    std::ofstream out(all / "killed/metrics.jsonl", std::ios::trunc);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) out << lines[i] << '\n';
    out << R"({"t":1,"event":"st)";  // half a line
  }
};

}  // namespace

TEST_CASE("dmlinfo runs: what became of each run, the best first") {
  const Runs runs;
  const Outcome outcome = run("dmlinfo", {"runs", runs.all.string(), "--json"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto list = nlohmann::json::parse(outcome.out)["runs"];
  REQUIRE(list.size() == 3);
  std::map<std::string, nlohmann::json> by_name;
  double last = 2;
  for (const auto& one : list) {
    by_name[one["name"]] = one;
    CHECK(one["select_by"] == "recall@1");
    CHECK(one["metrics"]["recall@1"].get<double>() <= last);
    last = one["metrics"]["recall@1"];
    CHECK(one["epochs"] == 2);
  }
  CHECK(by_name["small"]["state"] == "done");
  CHECK(by_name["more/large"]["state"] == "done");
  CHECK(by_name["killed"]["state"] == "running");  // it wrote a moment ago
  // The figures are those of the epoch that training chose.
  const auto test = nlohmann::json::parse(dml::read_file(runs.all / "small/eval/test.json"));
  CHECK(by_name["small"]["metrics"]["recall@1"].get<double>() ==
        doctest::Approx(test["metrics"]["recall@1"].get<double>()));

  const auto old = fs::last_write_time(runs.all / "killed/log.txt") - std::chrono::hours(1);
  fs::last_write_time(runs.all / "killed/log.txt", old);
  const Outcome table = run(
      "dmlinfo", {"runs", runs.all.string(), "--filter", "^(small|killed)$", "--sort", "recall@2"});
  CHECK(table.status == 0);
  CHECK(contains(table.out, "small "));
  CHECK(contains(table.out, "stopped"));
  CHECK(contains(table.out, "R@2"));
  CHECK_FALSE(contains(table.out, "large"));
  CHECK_FALSE(has_control_characters(table.out));
}

TEST_CASE("dmlinfo runs: what is wrong is said") {
  const TempFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, int status,
                           const std::vector<std::string>& parts) {
    std::vector<std::string> arguments{"runs"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run("dmlinfo", arguments);
    CHECK(outcome.status == status);
    for (const std::string& part : parts)
      CHECK_MESSAGE(contains(outcome.err + outcome.out, part), part);
  };
  refused({(folder / "none").string()}, 3, {"there is no such folder"});
  refused({folder.path().string()}, 0, {"no run"});
  refused({folder.path().string(), "--filter", "("}, 2, {"--filter", "no regular expression"});
  REQUIRE(run("dmltrain", tiny_training(folder / "a", {"--steps", "1"})).status == 0);
  refused({folder.path().string(), "--sort", "recall@7"}, 2, {"--sort", "recall@7"});
}

TEST_CASE("dmleval: a folder of runs, of which one is damaged") {
  const Runs runs;
  const Outcome alone = run("dmleval", {(runs.all / "small").string(), "--json", "--metrics",
                                        "recall@1", "--threads", "1", "--device", "cpu"});
  REQUIRE_MESSAGE(alone.status == 0, alone.err);
  const auto evaluate = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {runs.all.string(), "--metrics", "recall@1", "--threads", "1", "--device", "cpu"});
    return run("dmleval", more);
  };
  const Outcome all = evaluate({"--json"});
  REQUIRE_MESSAGE(all.status == 0, all.err);
  const auto list = nlohmann::json::parse(all.out)["runs"];
  REQUIRE(list.size() == 3);
  for (const auto& one : list)
    if (!contains(one["run"], "large"))
      CHECK(one["metrics"] == nlohmann::json::parse(alone.out)["metrics"]);

  dml::write_file_atomically(runs.all / "killed/checkpoints/best.safetensors", "no weights");
  const Outcome damaged = evaluate({});
  CHECK(damaged.status == 3);
  CHECK(contains(damaged.err, "killed: "));
  CHECK(contains(damaged.out, "small"));
  CHECK(contains(damaged.out, "more/large"));
  CHECK_FALSE(contains(damaged.out, "killed"));
  const Outcome several = evaluate({"--save-embeddings", (runs.folder / "x.npy").string()});
  CHECK(several.status == 2);
  CHECK(contains(several.err, "for one run"));
}
