#include "apps/common/manual.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace dml {
namespace {

/// Text that roff takes as it is: backslashes, hyphens, and dots or quotes at the start of lines.
std::string escaped(const std::string& text) {
  std::string result;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
    at_start = c == '\n';
  }
  return result;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

std::string option_text(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += "\\fB\\-" + escaped(name) + "\\fR, ";
  for (const std::string& name : option.get_lnames())
    names += "\\fB\\-\\-" + escaped(name) + "\\fR, ";
  if (option.get_positional()) names += "\\fI" + escaped(option.get_name(true)) + "\\fR, ";
  names.resize(names.size() - std::min<std::size_t>(2, names.size()));
  if (option.get_items_expected_max() > 0 && !option.get_type_name().empty() &&
      !option.get_positional())
    names += " \\fI" + escaped(option.get_type_name()) + "\\fR";
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) text += fmt::format(" [{}]", option.get_default_str());
  return ".TP\n" + names + "\n" + escaped(text) + "\n";
}

/// The visible options of a program in the order in which it has them, by group.
std::string options_text(const CLI::App& app) {
  std::string text;
  std::string group;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option->get_group() != group && !option->get_positional()) {
      group = option->get_group();
      text += ".SS " + escaped(group) + "\n";
    }
    text += option_text(*option);
  }
  return text;
}

std::string preformatted(const std::string& text) {
  return ".nf\n" + escaped(text) + (text.empty() || text.back() != '\n' ? "\n" : "") + ".fi\n";
}

std::string lines_of(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& line : list) text += line + "\n";
  return text;
}

constexpr const char* exit_table =
    "0    done\n1    failed while working: NaN, disk full\n2    wrong usage or configuration\n"
    "3    bad input data or weights\n4    device absent or out of memory\n"
    "5    a required value was not reached\n130  interrupted, checkpoint written\n";

}  // namespace

std::string manual_page(const CLI::App& app, const std::string& version,
                        const std::vector<std::string>& examples,
                        const std::vector<ManualSection>& sections) {
  const std::string name = app.get_name();
  std::string page =
      fmt::format(".TH {} 1 \"\" \"dml {}\" \"User commands\"\n", upper(name), escaped(version));
  page += fmt::format(".SH NAME\n{} \\- {}\n", escaped(name), escaped(app.get_description()));
  page += fmt::format(".SH SYNOPSIS\n.B {}\n", escaped(name));
  const auto commands = app.get_subcommands({});
  page += commands.empty() ? std::string("[\\fIoptions\\fR]")
                           : std::string("\\fIcommand\\fR [\\fIoptions\\fR]");
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name_of_it = "\\fI" + escaped(option->get_name(true)) + "\\fR";
    page += option->get_required() ? " " + name_of_it : " [" + name_of_it + "]";
  }
  page += "\n.SH OPTIONS\n" + options_text(app);
  for (const CLI::App* command : commands)
    page += fmt::format(".SH COMMAND {}\n{}\n", upper(command->get_name()),
                        escaped(command->get_description())) +
            options_text(*command);
  for (const auto& [title, text] : sections)
    page += ".SH " + escaped(upper(title)) + "\n" + preformatted(text);
  if (!examples.empty()) page += ".SH EXAMPLES\n" + preformatted(lines_of(examples));
  return page + ".SH EXIT STATUS\n" + preformatted(exit_table);
}

}  // namespace dml
