#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/places.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// The command lines of our tools in a text: in fences and between backticks.
std::vector<std::string> commands_in(const std::string& text) {
  std::vector<std::string> commands;
  std::string found;
  const auto take = [&](std::string line) {
    line = line.substr(0, line.find("  #"));
    for (const char* tool : {"dmltrain", "dmleval", "dmldata", "dmlinfo", "convert_weights"})
      if (line == tool || line.rfind(std::string(tool) + " ", 0) == 0) commands.push_back(line);
  };
  bool fenced = false;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    if (line.rfind("```", 0) == 0) {
      fenced = !fenced;
    } else if (fenced) {
      take(line);
    } else {
      for (std::size_t open = line.find('`'), close = 0; open != std::string::npos;
           open = line.find('`', close + 1)) {
        close = line.find('`', open + 1);
        if (close == std::string::npos) break;
        take(line.substr(open + 1, close - open - 1));
      }
    }
  }
  return commands;
}

/// Runs a command line in a folder, with these words in place of others.
Outcome run_in(const TempFolder& folder, std::string command,
               const std::map<std::string, std::string>& replaced) {
  for (const auto& [from, to] : replaced)
    if (const std::size_t at = command.find(from); at != std::string::npos)
      command.replace(at, from.size(), to);
  // Short enough for a test: the same flags, fewer steps and pixels.
  if (command.rfind("dmltrain --net", 0) == 0)
    command += " --steps 1 --image-size 64 --eval-every 0 --no-eval-before --overwrite";
  const std::string whole = "cd '" + folder.path().string() + "' && PATH='" +
                            dml::testing::build_dir().string() + "':$PATH " + command +
                            " >.out 2>.err";
  const int status = std::system(whole.c_str());
  return {WEXITSTATUS(status), dml::read_file(folder / ".out"), dml::read_file(folder / ".err")};
}

/// Sixteen classes of nine pictures each, a folder per class; also as a made-up CUB_200_2011.
void write_pictures(const TempFolder& folder) {
  REQUIRE(run("dmldata", {"stats", "shapes", (folder / "drawn").string(), "--set",
                          "dataset.classes=16", "--set", "dataset.images=9"})
              .status == 0);
  for (const auto& entry : fs::recursive_directory_iterator(folder / "drawn"))
    if (entry.path().filename() == "images.txt") {
      fs::copy(entry.path().parent_path(), folder / "CUB_200_2011", fs::copy_options::recursive);
      fs::copy(entry.path().parent_path() / "images", folder / "pictures",
               fs::copy_options::recursive);
      return;
    }
}

}  // namespace

TEST_CASE("README: the demo builds every tool that it names") {
  const fs::path source = dml::testing::source_dir();
  const std::string demo = dml::read_file(source / "scripts/demo.sh");
  const std::string targets = demo.substr(demo.find("--target"));
  const std::string built = targets.substr(0, targets.find('\n')) + " ";
  for (const std::string& command : commands_in(dml::read_file(source / "README.md"))) {
    const std::string tool = command.substr(0, command.find(' '));
    CHECK_MESSAGE(built.find(" " + tool + " ") != std::string::npos, tool);
  }
}

TEST_CASE("README: its commands work, one after the other") {
  const TempFolder folder;
  write_pictures(folder);
  // Stands for the published file, which is not ours to hand out.
  const std::string net =
      "dmltrain --net bninception --loss softmax --dataset folder --data-dir "
      "pictures --sampler shuffle --batch-size 4 -o runs/start";
  REQUIRE(run_in(folder, net, {}).status == 0);
  REQUIRE(run_in(folder,
                 "convert_weights runs/start/checkpoints/last.safetensors --net bninception --to "
                 "pth -o bn_inception-52deb4733.pth",
                 {})
              .status == 0);
  const auto commands = commands_in(dml::read_file(dml::testing::source_dir() / "README.md"));
  CHECK(commands.size() >= 7);
  for (const std::string& command : commands) {
    if (command.find(" x.npy") != std::string::npos) continue;  // dmleval_test.cpp makes such files
    const Outcome outcome =
        run_in(folder, command, {{"PICTURES", "pictures"}, {"--data-dir DIR", "--data-dir ."}});
    CHECK_MESSAGE(outcome.status == 0, command, "\n", outcome.err);
  }
}
