#include "apps/app.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>

#include "apps/common/completion.hpp"
#include "apps/common/manual.hpp"
#include "apps/common/records.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

void write_to(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  if (text.empty() || text.back() != '\n') std::fputc('\n', stream);
}

/// CLI11 writes "--x,--no-x{false}"; the second spelling says enough.
class Formatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    std::string text = CLI::Formatter::make_option_name(option, positional);
    const std::string value = "{false}";
    for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value))
      text.erase(at, value.size());
    return text;
  }
};

using Words = std::map<std::string, std::vector<std::string>>;

/// What CLI11 is told of the flags that all tools share.
struct CommonFlags {
  bool version = false, manual = false;
  std::string help, completion;
};

void add_common(CLI::App& app, Terminal& terminal, CommonFlags& flags, bool topics) {
  app.set_help_flag();
  const std::string group = "Common";
  app.add_option("-h,--help", flags.help,
                 topics ? "this page, or the one of a topic (loss=group)" : "this page")
      ->expected(0, 1)
      ->type_name(topics ? "[TOPIC]" : "")
      ->group(group);
  app.add_flag("--version", flags.version, "name and version")->group(group);
  app.add_flag("-q,--quiet", terminal.quiet, "results and errors only")->group(group);
  app.add_flag("-v,--verbose", terminal.verbose, "more notes; errors tell where they arose")
      ->group(group);
  app.add_option("--device", terminal.device, "auto, cpu, cuda, cuda:N")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  app.add_option("--threads", terminal.threads, "threads of the processor; 0: all")
      ->type_name("N")
      ->check(CLI::Range(0, 4096).description(""))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--json", terminal.json, "the result as one JSON object")->group(group);
  app.add_option("--completion", flags.completion, "script for bash, zsh or fish")
      ->type_name("SHELL")
      ->group(group);
  app.add_flag("--manual", flags.manual, "the manual page: --manual | man -l -")->group(group);
}

/// All visible spellings of flags of a program and its chosen sub-commands.
std::vector<std::string> spellings(const CLI::App& app) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) all.push_back("--" + name);
  }
  for (const CLI::App* chosen : app.get_subcommands())
    for (const std::string& name : spellings(*chosen)) all.push_back(name);
  return all;
}

/// Throws for the first argument that nothing took.
void refuse_leftovers(const CLI::App& app) {
  for (const std::string& word : app.remaining(true)) {
    if (word.size() < 2 || word[0] != '-') continue;
    const std::string flag = word.substr(0, word.find('='));
    const std::string near = nearest(flag, spellings(app));
    throw UsageError("no flag named '" + flag + "'" +
                     (near.empty() ? "" : "; did you mean '" + near + "'?") + "  (" +
                     app.get_name() + " --help)");
  }
  for (const std::string& word : app.remaining(true)) {
    const std::vector<std::string> commands = [&] {
      std::vector<std::string> names;
      for (const CLI::App* one : app.get_subcommands({})) names.push_back(one->get_name());
      return names;
    }();
    throw UsageError("'" + word + "' is one argument too many" +
                     (commands.empty() ? std::string() : suggestion(word, commands)) + "  (" +
                     app.get_name() + " --help)");
  }
}

/// The topic behind --help, "" without one, nothing when help is not asked for. Looked for before
/// parsing, because a call for help lacks the arguments that are required.
std::optional<std::string> help_topic(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& word = arguments[i];
    if (word.rfind("--help=", 0) == 0) return word.substr(7);
    if (word != "--help" && word != "-h") continue;
    const bool topic = i + 1 < arguments.size() && arguments[i + 1].rfind('-', 0) != 0;
    return topic ? arguments[i + 1] : std::string();
  }
  return std::nullopt;
}

std::string help_text(const Tool& tool, const CLI::App& app,
                      const std::vector<std::string>& arguments, const std::string& topic) {
  if (!topic.empty()) {
    if (!tool.help) throw UsageError("--help takes no topic here; '" + topic + "' was given");
    return tool.help(topic);
  }
  for (const CLI::App* command : app.get_subcommands({}))
    if (!arguments.empty() && command->check_name(arguments[0])) return command->help(tool.name);
  std::string text = app.help();
  if (!tool.examples.empty())
    text += fmt::format("Examples:\n  {}\n", fmt::join(tool.examples, "\n  "));
  return text;
}

/// The value of --completion, looked for before parsing for the same reason.
std::optional<std::string> completion_shell(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i].rfind("--completion=", 0) == 0) return arguments[i].substr(13);
    if (arguments[i] == "--completion")
      return i + 1 < arguments.size() ? arguments[i + 1] : std::string();
  }
  return std::nullopt;
}

/// Whether a flag is there, whatever else is missing.
bool asks(const std::vector<std::string>& arguments, const std::string& flag) {
  for (const std::string& word : arguments) {
    if (word == "--") return false;
    if (word == flag) return true;
  }
  return false;
}

void parse(CLI::App& app, std::vector<std::string> arguments) {
  app.allow_extras();
  // A flag that is given twice holds its last value, so that scripts can append to a command.
  for (CLI::Option* option : app.get_options())
    if (option->get_items_expected_max() == 1 &&
        option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw &&
        !option->get_allow_extra_args())
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  for (CLI::App* command : app.get_subcommands({})) command->allow_extras();
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    refuse_leftovers(app);  // a misspelt flag is the better explanation of a missing one
    throw UsageError(fmt::format("{}  ({} --help)", error.what(), app.get_name()));
  }
  refuse_leftovers(app);
}

int run(const std::vector<std::string>& arguments, const Tool& tool, Terminal& terminal) {
  CLI::App app(tool.summary, tool.name);
  app.formatter(std::make_shared<Formatter>());
  app.get_formatter()->column_width(36);
  if (tool.flags) tool.flags(app);
  CommonFlags flags;
  add_common(app, terminal, flags, static_cast<bool>(tool.help));
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough()->set_help_flag();
  const bool json = asks(arguments, "--json");
  const auto show = [&](const char* key, const std::string& text) {
    terminal.print(json ? json_text({{"tool", tool.name}, {key, text}}) : text);
    return exit_done;
  };
  if (const auto topic = help_topic(arguments))
    return show("help", help_text(tool, app, arguments, *topic));
  if (asks(arguments, "--version"))
    return show("version", json ? version() : fmt::format("{} {}", tool.name, version()));
  if (asks(arguments, "--manual"))
    return show("manual", manual_page(app, version(), tool.examples,
                                      tool.manual ? tool.manual() : std::vector<ManualSection>{}));
  if (const auto shell = completion_shell(arguments))
    return show("completion", completion_script(*shell, app, tool.words ? tool.words() : Words{}));
  parse(app, arguments);
  return tool.run(terminal);
}

/// "tool: first line", the others below it.
void report(const Terminal& terminal, std::string_view text) {
  write_to(stderr, printable(fmt::format("{}: {}", terminal.tool, text)));
}

/// A result that never arrived is a failure (disk full, reader gone).
int flush_results(const Terminal& terminal, int status) {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written || status != exit_done) return status;
  report(terminal, fmt::format("standard output: {}", std::strerror(errno)));
  return exit_failed;
}

}  // namespace

void Terminal::print(std::string_view text) const { write_to(stdout, text); }

void Terminal::note(std::string_view text) const {
  if (!quiet) report(*this, text);
}

void Terminal::detail(std::string_view text) const {
  if (verbose && !quiet) report(*this, text);
}

int run_tool(int argc, const char* const* argv, const Tool& tool) {
  Terminal terminal;
  terminal.tool = tool.name;
  // A file beyond the limit on sizes is an error of writing, told in words, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    return flush_results(terminal, run(arguments, tool, terminal));
  } catch (const Error& error) {
    report(terminal, error.what());
    if (terminal.verbose)
      write_to(stderr, fmt::format("  at {}:{}", error.where().file, error.where().line));
    return error.exit_code();
  } catch (const std::filesystem::filesystem_error& error) {
    report(terminal, fmt::format("{}: {}", error.path1().string(), error.code().message()));
    return exit_failed;
  } catch (const std::bad_alloc&) {
    report(terminal, "out of memory");
    return exit_device;
  } catch (const std::exception& error) {
    report(terminal, fmt::format("unexpected error: {}", error.what()));
    return exit_failed;
  }
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

const char* version() { return DML_VERSION; }

}  // namespace dml
