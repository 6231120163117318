#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "apps/training/schema.hpp"
#include "dml/loss.hpp"
#include "dml/miner.hpp"
#include "engine/file.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;

namespace {

nlohmann::json json_of(const std::string& tool, std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const Outcome outcome = run(tool, arguments);
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  auto json = nlohmann::json::parse(outcome.out, nullptr, false);
  CHECK_MESSAGE(json.is_object(), outcome.out);
  return json;
}

/// A setting and its origin after these flags.
std::pair<std::string, std::string> setting(const std::string& key,
                                            const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {"--net", "resnet18", "--loss", "triplet_margin"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.emplace_back("--print-config");
  const nlohmann::json found = json_of("dmltrain", arguments)[key];
  return {found["value"], found["origin"]};
}

using Pair = std::pair<std::string, std::string>;

}  // namespace

TEST_CASE("flags: every setting outside components is a flag of its own name") {
  std::vector<std::string> flags;
  for (const dml::FlagGroup& group : dml::training_flags())
    flags.insert(flags.end(), group.fields.begin(), group.fields.end());
  const std::string help = run("dmltrain", {"--help"}).out;
  for (const dml::FieldInfo& info : dml::training_schema().fields) {
    if (info.name == "preset" || info.name.rfind("head.", 0) == 0) continue;
    CHECK_MESSAGE(std::count(flags.begin(), flags.end(), info.name) == 1, info.name);
    std::string spelling = info.name;
    std::replace(spelling.begin(), spelling.end(), '_', '-');
    CHECK_MESSAGE(help.find("--" + spelling) != std::string::npos, spelling);
    if (info.type == "flag")
      CHECK_MESSAGE(help.find("--no-" + spelling) != std::string::npos, spelling);
  }
  for (const char* flag : {"--miner", "--freeze-batch-norm", "--no-freeze-batch-norm",
                           "--no-overwrite", "--no-deterministic", "--preset", "--set", "--resume"})
    CHECK_MESSAGE(help.find(flag) != std::string::npos, flag);
}

TEST_CASE("flags: a switch alone means true, with --no- it means false") {
  CHECK(setting("eval_before", {}) == Pair{"false", "default"});
  CHECK(setting("eval_before", {"--eval-before"}).first == "true");
  CHECK(setting("eval_before", {"--no-eval-before"}).first == "false");
  CHECK(setting("tensorboard", {"--no-tensorboard"}) == Pair{"false", "--no-tensorboard false"});
  CHECK(setting("freeze_batch_norm", {"--freeze-batch-norm"}).first == "true");
  CHECK(setting("freeze_batch_norm", {"--freeze-batch-norm", "statistics"}).first == "statistics");
  CHECK(setting("freeze_batch_norm", {"--no-freeze-batch-norm"}).first == "false");
  CHECK(setting("loss.miner.name", {"--miner", "ms"}) == Pair{"ms", "--miner ms"});
}

TEST_CASE("flags: of --x and --no-x the last counts") {
  CHECK(setting("tensorboard", {"--no-tensorboard", "--tensorboard"}).first == "true");
  CHECK(setting("tensorboard", {"--tensorboard", "--no-tensorboard"}).first == "false");
  CHECK(setting("eval_before", {"--eval-before", "--no-eval-before", "--eval-before"}).first ==
        "true");
  CHECK(setting("freeze_batch_norm",
                {"--no-freeze-batch-norm", "--freeze-batch-norm", "statistics"}) ==
        Pair{"statistics", "--freeze-batch-norm statistics"});
  CHECK(setting("freeze_batch_norm", {"--freeze-batch-norm", "--no-freeze-batch-norm"}).first ==
        "false");
  CHECK(setting("batch_size", {"--batch-size", "8", "--bs", "16"}).first == "16");
  CHECK(setting("batch_size", {"--bs", "16", "--batch-size", "8"}).first == "8");
  // Switches that are no settings: --print-config stands in the helper's words before these.
  const std::vector<std::string> words = {"--net", "resnet18", "--loss", "triplet_margin"};
  auto on = words, off = words;
  on.insert(on.end(), {"--dataset", "shapes", "--no-print-config", "--print-config"});
  off.insert(off.end(), {"--dataset", "cub200", "--data-dir", "/nowhere", "--print-config",
                         "--no-print-config"});
  CHECK(run("dmltrain", on).status == 0);
  CHECK(run("dmltrain", off).status == 3);  // it goes on, and there are no data
}

TEST_CASE("flags: old names are understood, but nobody is sent to them") {
  const std::vector<std::string> old = {"--sz-embedding", "--embed_dim", "--nb-epochs",
                                        "--n_epochs",     "--sz-batch",  "--bn-freeze",
                                        "--gpu-id",       "--gpu_id",    "--arch"};
  for (const std::string& flag : old) {
    // One letter is missing, so that the old name is the nearest of all.
    const std::string misspelt = flag.substr(0, flag.size() - 1);
    const Outcome outcome = run("dmltrain", {misspelt, "1"});
    INFO(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(outcome.err.find("no flag named '" + misspelt + "'") != std::string::npos);
    for (const std::string& other : old)
      CHECK(outcome.err.find("'" + other + "'") == std::string::npos);
  }
}

TEST_CASE("flags: the configuration of every loss and miner can be read again") {
  using dml::Layer;
  const auto check = [](std::vector<dml::Given> given) {
    given.push_back({"net", "resnet18", "test", Layer::flag});
    const dml::Config config = dml::resolve_training(given);
    for (const std::string& text : {config.to_toml(), config.to_annotated_toml()})
      CHECK(dml::resolve_training(dml::parse_toml(text, Layer::file, "test")).to_toml() ==
            config.to_toml());
  };
  for (const std::string& loss : dml::Registry<dml::Loss>::names()) {
    CAPTURE(loss);
    check({{"loss", loss, "test", Layer::flag}});
  }
  for (const std::string& miner : dml::Registry<dml::Miner>::names()) {
    CAPTURE(miner);
    check({{"loss", "triplet_margin", "test", Layer::flag}, {"miner", miner, "test", Layer::flag}});
  }
}

TEST_CASE("flags: those of earlier programs do what they did, each answered once") {
  struct Old {
    std::vector<std::string> words;
    const char *key, *value, *note;
  };
  for (const Old& old :
       {Old{{"--model", "resnet34"}, "net.name", "resnet34", "--model is called --net here"},
        Old{{"--arch", "resnet34"}, "net.name", "resnet34", "--arch is called --net here"},
        Old{{"--bs", "36"}, "batch_size", "36", "--bs is called --batch-size here"},
        Old{{"--sz-embedding", "64"}, "head.dim", "64", "called --embedding-dim here"},
        Old{{"--embed_dim", "64"}, "head.dim", "64", "called --embedding-dim here"},
        Old{{"--nb-epochs", "3"}, "epochs", "3", "--nb-epochs is called --epochs here"},
        Old{{"--sampler", "m_per_class", "--IPC", "4"},
            "sampler.images",
            "4",
            "--IPC is called --images-per-class here"},
        Old{{"--bn-freeze", "1"}, "freeze_batch_norm", "true", "called --freeze-batch-norm here"},
        Old{{"--bn-freeze", "0"}, "freeze_batch_norm", "false", "called --freeze-batch-norm here"},
        Old{{"--warm", "1"}, "freeze_net_epochs", "1", "--warm is called --freeze-net-epochs here"},
        Old{{"--gpu-id", "0"}, "net.name", "resnet18", "--gpu-id is called --device cuda:0 here"},
        Old{{"--dataset", "cub"},
            "dataset.name",
            "cub200",
            "--dataset cub is called --dataset cub200 here"}}) {
    std::vector<std::string> words = {"--loss", "triplet_margin", "--print-config", "--json"};
    if (std::string(old.words[0]) != "--model" && std::string(old.words[0]) != "--arch")
      words.insert(words.end(), {"--net", "resnet18"});
    words.insert(words.end(), old.words.begin(), old.words.end());
    const Outcome outcome = run("dmltrain", words);
    REQUIRE_MESSAGE(outcome.status == 0, old.note, outcome.err);
    CHECK(nlohmann::json::parse(outcome.out)[old.key]["value"] == old.value);
    const std::size_t at = outcome.err.find(old.note);
    CHECK_MESSAGE(at != std::string::npos, old.note, outcome.err);
    CHECK(outcome.err.find(old.note, at + 1) == std::string::npos);
  }
}

TEST_CASE("flags: --json is one object for every tool and every question") {
  for (const std::string tool : {"dmltrain", "dmleval", "dmldata", "dmlinfo", "convert_weights"})
    for (const std::vector<std::string>& question : {std::vector<std::string>{"--version"},
                                                     {"--help"},
                                                     {"--manual"},
                                                     {"--completion", "bash"}})
      CHECK(json_of(tool, question)["tool"] == tool);
  for (const char* what :
       {"nets", "losses", "miners", "samplers", "metrics", "datasets", "presets"})
    CHECK(json_of("dmltrain", {"--list", what})[what].size() > 1);
  CHECK(json_of("dmldata", {"list"})["datasets"].size() > 1);
  CHECK(json_of("dmlinfo", {})["program"]["name"] == "dml");
  CHECK(json_of("dmlinfo", {"weights"})["weights"].size() > 1);
  CHECK(json_of("dmlinfo", {"presets"})["presets"].size() > 1);
  // A folder whose name is no text, in a result.
  const TempFolder folder;
  const auto odd = json_of("dmltrain", tiny_training(folder / "r\xFF", {"--epochs", "1"}));
  CHECK(odd.contains("run"));
}

TEST_CASE("flags: completion scripts are ones that their shells can read") {
  const TempFolder folder;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    if (std::system(("command -v " + shell + " >/dev/null").c_str()) != 0) continue;
    for (const std::string tool :
         {"dmltrain", "dmleval", "dmldata", "dmlinfo", "convert_weights"}) {
      dml::write_file_atomically(folder / "script", run(tool, {"--completion", shell}).out);
      const std::string command = shell + " -n '" + (folder / "script").string() + "'";
      CHECK_MESSAGE(std::system(command.c_str()) == 0, command, " of ", tool);
    }
  }
  const std::string script = run("dmltrain", {"--completion", "bash"}).out;
  for (const char* word : {"group-loss/cub200", "multi_similarity", "--no-tensorboard", "recall"})
    CHECK_MESSAGE(script.find(word) != std::string::npos, word);
  CHECK(script.find("--sz-embedding") == std::string::npos);
}
