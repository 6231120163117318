#include "apps/common/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "engine/error.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

/// A flag or option as the shells need it.
struct Known {
  std::vector<std::string> longs;   ///< without hyphens
  std::vector<std::string> shorts;  ///< without hyphen
  std::string help;
  bool takes_value = false;
  std::vector<std::string> values;

  /// All spellings, with hyphens.
  std::vector<std::string> spellings() const {
    std::vector<std::string> all;
    for (const std::string& name : shorts) all.push_back("-" + name);
    for (const std::string& name : longs) all.push_back("--" + name);
    return all;
  }
};

/// The words of "{a,b,c}" in the type text of an option, which CLI::IsMember puts there.
std::vector<std::string> choices_of(const std::string& type) {
  const std::size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> found;
  if (begin == std::string::npos || end == std::string::npos || end < begin) return found;
  std::istringstream list(type.substr(begin + 1, end - begin - 1));
  for (std::string word; std::getline(list, word, ',');) found.push_back(word);
  return found;
}

/// What may stand inside quotes of all three shells.
std::string plain(const std::string& help) {
  std::string text;
  for (const char c : help) {
    if (c == '\n') break;
    if (std::string("'\"`$\\[]:;").find(c) == std::string::npos) text += c;
  }
  return text;
}

std::vector<Known> options_of(const CLI::App& app,
                              const std::map<std::string, std::vector<std::string>>& words) {
  std::vector<Known> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty() || option->get_positional()) continue;
    Known known{option->get_lnames(), option->get_snames(), plain(option->get_description()),
                option->get_items_expected_max() > 0, choices_of(option->get_type_name())};
    for (const std::string& spelling : known.spellings()) {
      const auto more = words.find(spelling);
      if (more != words.end())
        for (const std::string& value : more->second)
          if (std::find(known.values.begin(), known.values.end(), value) == known.values.end())
            known.values.push_back(value);
    }
    all.push_back(std::move(known));
  }
  return all;
}

std::vector<std::string> subcommands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one : app.get_subcommands({})) names.push_back(one->get_name());
  return names;
}

/// The options of the program and of all its sub-commands.
std::vector<Known> all_options(const CLI::App& app,
                               const std::map<std::string, std::vector<std::string>>& words) {
  std::vector<Known> all = options_of(app, words);
  for (const CLI::App* one : app.get_subcommands({}))
    for (Known& known : options_of(*one, words)) all.push_back(std::move(known));
  return all;
}

std::string bash_script(const std::string& name, const std::vector<Known>& options,
                        const std::vector<std::string>& commands) {
  std::string cases;
  std::vector<std::string> spellings;
  for (const Known& one : options) {
    const std::vector<std::string> names = one.spellings();
    spellings.insert(spellings.end(), names.begin(), names.end());
    if (!one.takes_value) continue;
    const std::string reply = one.values.empty()
                                  ? std::string("compgen -f")
                                  : fmt::format("compgen -W '{}'", fmt::join(one.values, " "));
    cases += fmt::format("    {}) COMPREPLY=($({} -- \"$word\")); return ;;\n",
                         fmt::join(names, "|"), reply);
  }
  return fmt::format(R"SHELL(# eval "$({0} --completion bash)"
_{0}() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}"
  case "${{COMP_WORDS[COMP_CWORD-1]}}" in
{1}  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W '{2}' -- "$word"))
  else
    COMPREPLY=($(compgen -W '{3}' -- "$word") $(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _{0} {0}
)SHELL",
                     name, cases, fmt::join(spellings, " "), fmt::join(commands, " "));
}

std::string zsh_script(const std::string& name, const std::vector<Known>& options,
                       const std::vector<std::string>& commands) {
  std::string lines;
  for (const Known& one : options)
    for (const std::string& spelling : one.spellings()) {
      std::string action;
      if (one.takes_value)
        action = one.values.empty() ? std::string(":value:_files")
                                    : fmt::format(":value:({})", fmt::join(one.values, " "));
      lines += fmt::format("    '{}[{}]{}' \\\n", spelling, one.help, action);
    }
  const std::string first =
      commands.empty() ? std::string("_files") : fmt::format("({})", fmt::join(commands, " "));
  return fmt::format(R"SHELL(#compdef {0}
# eval "$({0} --completion zsh)"
_{0}() {{
  _arguments -s \
{1}    '1:argument:{2}' '*:file:_files'
}}
compdef _{0} {0}
)SHELL",
                     name, lines, first);
}

std::string fish_script(const std::string& name, const std::vector<Known>& options,
                        const std::vector<std::string>& commands) {
  std::string text = fmt::format("# {0} --completion fish | source\n", name);
  for (const Known& one : options) {
    std::string line = fmt::format("complete -c {}", name);
    for (const std::string& spelling : one.longs) line += fmt::format(" -l {}", spelling);
    for (const std::string& spelling : one.shorts) line += fmt::format(" -s {}", spelling);
    line += fmt::format(" -d '{}'", one.help);
    if (one.takes_value)
      line += one.values.empty() ? " -r" : fmt::format(" -x -a '{}'", fmt::join(one.values, " "));
    text += line + "\n";
  }
  for (const std::string& command : commands)
    text += fmt::format("complete -c {} -n __fish_use_subcommand -a {}\n", name, command);
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, const CLI::App& app,
                              const std::map<std::string, std::vector<std::string>>& words) {
  const std::vector<Known> options = all_options(app, words);
  const std::vector<std::string> commands = subcommands_of(app);
  if (shell == "bash") return bash_script(app.get_name(), options, commands);
  if (shell == "zsh") return zsh_script(app.get_name(), options, commands);
  if (shell == "fish") return fish_script(app.get_name(), options, commands);
  throw UsageError("--completion: no shell named '" + shell + "'" +
                   suggestion(shell, {"bash", "zsh", "fish"}));
}

}  // namespace dml
