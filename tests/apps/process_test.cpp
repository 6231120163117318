#include "tests/apps/process.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "engine/file.hpp"
#include "tests/places.hpp"

extern char** environ;

namespace dml::test {
namespace {

namespace fs = std::filesystem;

int unique_number() {
  static std::atomic<int> next{0};
  return next++;
}

fs::path unique_path(const std::string& kind) {
  return fs::temp_directory_path() /
         ("dml-" + kind + "-" + std::to_string(::getpid()) + "-" + std::to_string(unique_number()));
}

/// The most memory that a running process has held so far; 0 when it has ended. (What wait4() tells
/// begins with the memory of the process that started it.)
std::uint64_t peak_memory_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;)
    if (std::uint64_t kilobytes = 0; word == "VmHWM:" && status >> kilobytes)
      return kilobytes << 10U;
  return 0;
}

}  // namespace

Process::Process(const std::string& tool, const std::vector<std::string>& arguments)
    : out_(unique_path("out")), err_(unique_path("err")) {
  const std::string program = (testing::build_dir() / tool).string();
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), flags, 0600);
  const int failed = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error(program + " cannot be started");
}

Process::~Process() {
  if (!ended()) {
    signal(SIGKILL);
    wait();
  }
  fs::remove(out_);
  fs::remove(err_);
}

void Process::signal(int number) const { ::kill(pid_, number); }

bool Process::ended() {
  int status = 0;
  if (!ended_) peak_memory_ = std::max(peak_memory_, peak_memory_of(pid_));
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return ended_;
}

Outcome Process::wait() {
  using namespace std::chrono_literals;
  for (int i = 0; i < 60000 && !ended(); ++i) std::this_thread::sleep_for(2ms);
  if (!ended()) signal(SIGKILL);
  while (!ended()) std::this_thread::sleep_for(10ms);
  return {status_, read_file(out_), read_file(err_), peak_memory_};
}

Outcome run(const std::string& tool, const std::vector<std::string>& arguments) {
  return Process(tool, arguments).wait();
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

Outcome run_behind(const std::string& words, const std::string& tool,
                   const std::vector<std::string>& arguments) {
  const TempFolder folder;
  std::string command = words + " " + quoted((testing::build_dir() / tool).string());
  for (const std::string& word : arguments) command += " " + quoted(word);
  command = "(" + command + ") >" + quoted((folder / "out").string()) + " 2>" +
            quoted((folder / "err").string());
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          read_file(folder / "out"), read_file(folder / "err")};
}

Outcome run_limited(const std::string& limit, const std::string& tool,
                    const std::vector<std::string>& arguments) {
  return run_behind(limit + "; exec", tool, arguments);
}

bool has_control_characters(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7F) return true;
  }
  return false;
}

const fs::path& picture_folder() {
  static const TempFolder folder;
  return folder.path();
}

std::vector<std::string> tiny_training(const fs::path& run_folder,
                                       const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"--net",
                                        "resnet18",
                                        "--set",
                                        "net.last_layer=layer2",
                                        "--loss",
                                        "group",
                                        "--set",
                                        "loss.anchors=1",
                                        "--dataset",
                                        "shapes",
                                        "--set",
                                        "dataset.classes=8",
                                        "--set",
                                        "dataset.images=8",
                                        "--data-dir",
                                        picture_folder().string(),
                                        "--image-size",
                                        "32",
                                        "--sampler",
                                        "classes_times_images",
                                        "--images-per-class",
                                        "4",
                                        "--batch-size",
                                        "8",
                                        "--lr",
                                        "1e-3",
                                        "--epochs",
                                        "2",
                                        "--metrics",
                                        "recall@1,recall@2",
                                        "--log-every",
                                        "1",
                                        "--threads",
                                        "1",
                                        "--device",
                                        "cpu",
                                        "-o",
                                        run_folder.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> rich_training(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments =
      tiny_training(out, {"--epochs", "3", "--warmup-epochs", "1", "--schedule", "plateau"});
  for (const char* set :
       {"schedule.patience=0", "schedule.threshold=1", "warmup_by=step", "clip_grad_value=0.5",
        "groups.head.match=loss.*", "groups.head.optimizer=sgd", "groups.head.lr=0.05",
        "groups.stem.match=conv1.*,bn1.*", "groups.stem.frozen_epochs=1",
        "groups.stem.weight_decay=0.01", "groups.first.match=layer1.*",
        "groups.first.freeze_from=3"}) {
    arguments.emplace_back("--set");
    arguments.emplace_back(set);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string last_weights(const fs::path& run_folder) {
  return read_file(run_folder / "checkpoints/last.safetensors");
}

const std::string& undisturbed_rich() {
  static const std::string bytes = [] {
    const TempFolder folder;
    const Outcome outcome = run("dmltrain", rich_training(folder / "run"));
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return last_weights(folder / "run");
  }();
  return bytes;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  if (!fs::exists(file)) return lines;
  const std::string text = read_file(file);
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

bool clean(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().string().find(".tmp-") != std::string::npos) return false;
  return true;
}

}  // namespace dml::test

TEST_CASE("tools: each tells its name, its help, and has no control characters in it") {
  for (const std::string tool : {"dmltrain", "dmleval", "dmldata", "dmlinfo", "convert_weights"}) {
    const auto help = dml::test::run(tool, {"--help"});
    CHECK(help.status == 0);
    CHECK(help.out.find("--help") != std::string::npos);
    CHECK_FALSE(dml::test::has_control_characters(help.out));
    const auto version = dml::test::run(tool, {"--version"});
    CHECK(version.status == 0);
    CHECK(version.out.rfind(tool + " ", 0) == 0);
    const auto manual = dml::test::run(tool, {"--manual"});
    CHECK(manual.status == 0);
    CHECK(manual.out.rfind(".TH ", 0) == 0);
    for (const char* part :
         {".SH NAME\n", ".SH SYNOPSIS\n", "\\fB\\-\\-json\\fR", "130  interrupted"})
      CHECK_MESSAGE(manual.out.find(part) != std::string::npos, part);
    CHECK_FALSE(dml::test::has_control_characters(manual.out));
    for (const char* shell : {"bash", "zsh", "fish"})
      CHECK(dml::test::run(tool, {"--completion", shell}).status == 0);
  }
}
