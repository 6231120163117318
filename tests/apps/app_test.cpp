#include "apps/app.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>

#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"
#include "tests/text.hpp"

namespace dml::testing {
namespace {

/// What a run of a tool gave.
struct Outcome {
  int status;
  std::string out, err;
};

/// Runs a function with standard output and error going to files.
template <class Fn> Outcome captured(Fn&& fn) {
  const TemporaryFolder folder;
  std::fflush(stdout);
  std::fflush(stderr);
  const int out = ::dup(1), err = ::dup(2);
  REQUIRE(std::freopen((folder / "out").c_str(), "w", stdout) != nullptr);
  REQUIRE(std::freopen((folder / "err").c_str(), "w", stderr) != nullptr);
  const int status = fn();
  std::fflush(stdout);
  std::fflush(stderr);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::close(out);
  ::close(err);
  return {status, read_file(folder / "out"), read_file(folder / "err")};
}

/// A tool with one required argument, which does what `work` says.
Outcome run(
    std::vector<const char*> arguments,
    const std::function<int(const Terminal&)>& work = [](const Terminal&) { return 0; }) {
  std::string input, loss = "group";
  bool deep = false;
  const Tool tool{
      .name = "example",
      .summary = "does something",
      .examples = {"example photos"},
      .flags =
          [&](CLI::App& app) {
            app.add_option("INPUT", input, "what to read")->required();
            app.add_option("-l,--loss", loss, "the loss")
                ->check(CLI::IsMember({"group", "triplet"}));
            app.add_option("--sz-embedding", loss, "old")->group("");
            app.add_flag("--deep,!--no-deep", deep, "look below");
          },
      .run = work,
      .help = [](const std::string& topic) -> std::string {
        if (topic == "loss=group") return "the Group Loss";
        throw UsageError("no topic named '" + topic + "'");
      },
      .words =
          [] {
            return std::map<std::string, std::vector<std::string>>{{"--device", {"cpu", "cuda"}}};
          }};
  arguments.insert(arguments.begin(), "example");
  return captured(
      [&] { return run_tool(static_cast<int>(arguments.size()), arguments.data(), tool); });
}

TEST_CASE("tools: help, version and completion need no other argument") {
  const Outcome help = run({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  for (const char* part : {"INPUT", "--loss", "--deep", "--json", "--threads", "--completion",
                           "example photos", "does something"})
    CHECK(contains(help.out, part));
  CHECK(!contains(help.out, "sz-embedding"));
  CHECK(run({"--help", "loss=group"}).out == "the Group Loss\n");
  CHECK(run({"--help", "loss=x"}).status == 2);
  CHECK(contains(run({"--version"}).out, "example 0."));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome script = run({"--completion", shell});
    CHECK(script.status == 0);
    for (const char* part : {"loss", "group triplet", "no-deep", "cpu cuda", "threads"})
      CHECK(contains(script.out, part));
    CHECK(!contains(script.out, "sz-embedding"));
  }
  CHECK(run({"--completion", "csh"}).status == 2);
}

TEST_CASE("tools: wrong usage ends with the nearest flag and status 2") {
  const Outcome unknown = run({"x", "--losss", "group"});
  CHECK(unknown.status == 2);
  CHECK(unknown.out.empty());
  CHECK(unknown.err ==
        "example: no flag named '--losss'; did you mean '--loss'?  (example --help)\n");
  CHECK(contains(run({"--jsn"}).err, "'--json'"));  // not "INPUT is required"
  CHECK(contains(run({"--los=group", "x"}).err, "'--loss'"));
  CHECK(contains(run({}).err, "INPUT"));
  CHECK(run({}).status == 2);
  CHECK(contains(run({"x", "y"}).err, "'y'"));
  CHECK(run({"x", "--loss"}).status == 2);
  CHECK(run({"x", "--loss", "other"}).status == 2);
  CHECK(run({"x", "--threads", "many"}).status == 2);
  CHECK(run({"x", "--threads", "-1"}).status == 2);
}

TEST_CASE("tools: common flags reach the tool") {
  Terminal seen;
  CHECK(run({"x", "-q", "--json", "--device", "cuda:1", "--threads", "3"}, [&](const Terminal& t) {
          seen = t;
          return 5;
        }).status == 5);
  CHECK(seen.quiet);
  CHECK(seen.json);
  CHECK(!seen.verbose);
  CHECK(seen.device == "cuda:1");
  CHECK(seen.threads == 3);
}

TEST_CASE("tools: results go to standard output, notes to standard error") {
  const auto work = [](const Terminal& terminal) {
    terminal.print("result");
    terminal.note("first\n  second");
    terminal.detail("detail");
    return 0;
  };
  CHECK(run({"x"}, work).out == "result\n");
  CHECK(run({"x"}, work).err == "example: first\n  second\n");
  CHECK(run({"x", "-q"}, work).err.empty());
  CHECK(contains(run({"x", "-v"}, work).err, "example: detail\n"));
}

TEST_CASE("tools: every error becomes a line and its exit status") {
  const auto failing = [](auto error) { return [error](const Terminal&) -> int { throw error; }; };
  const Outcome data = run({"x"}, failing(FormatError("bad \x1B[31mfile")));
  CHECK(data.status == 3);
  CHECK(data.err == "example: bad \\x1b[31mfile\n");
  CHECK(contains(run({"x", "-v"}, failing(DataError("bad"))).err, "app_test.cpp:"));
  CHECK(run({"x"}, failing(Error("bad"))).status == 1);
  CHECK(run({"x"}, failing(UsageError("bad"))).status == 2);
  CHECK(run({"x"}, failing(DeviceError("bad"))).status == 4);
  CHECK(run({"x"}, failing(std::bad_alloc())).status == 4);
  CHECK(run({"x"}, failing(std::bad_alloc())).err == "example: out of memory\n");
  const std::filesystem::filesystem_error read_only(
      "cannot remove", "runs/a", std::make_error_code(std::errc::read_only_file_system));
  CHECK(run({"x"}, failing(read_only)).status == 1);
  CHECK(run({"x"}, failing(read_only)).err == "example: runs/a: Read-only file system\n");
  CHECK(run({"x"}, failing(std::logic_error("odd"))).status == 1);
  CHECK(contains(run({"x"}, failing(std::logic_error("odd"))).err, "unexpected error: odd"));
}

}  // namespace
}  // namespace dml::testing
