#pragma once
#include <fmt/format.h>

#include <map>
#include <string>

#include "dml/loss.hpp"

namespace dml::bench {

/// What the page of all losses says of one beyond what its registration tells.
struct LossCost {
  std::int64_t learnt = 0;  ///< numbers that it learns
  Requirements needs{};
  double milliseconds = 0;  ///< forward and backward
  double mib = 0;           ///< beyond the embeddings
  bool measured = false;    ///< false: it refused the batch; `why` says why
  std::string why{};
};

inline std::string needs_text(const Requirements& needs) {
  std::string text;
  if (needs.classes > 1) text += fmt::format("{} classes", needs.classes);
  if (needs.images_per_class > 1)
    text += fmt::format("{}{} per class", text.empty() ? "" : ", ", needs.images_per_class);
  if (needs.training_set) text += text.empty() ? "the training set" : ", the training set";
  return text.empty() ? "-" : text;
}

/// Its range, or its choices, or its type.
inline std::string values_text(const FieldInfo& info) {
  if (!info.choices.empty()) return info.choices;
  const bool low = info.range.low > -1e299, high = info.range.high < 1e299;
  if (!low && !high) return info.type;
  return fmt::format("{} {}..{}", info.type, low ? fmt::format("{:g}", info.range.low) : "",
                     high ? fmt::format("{:g}", info.range.high) : "");
}

/// One line breaks no table.
inline std::string in_table(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("|\n", at)) != std::string::npos; at += 2)
    text.replace(at, 1, text[at] == '|' ? "\\|" : "  ");
  return text;
}

/// docs/losses.md: a table of all losses, then a section of each.
/// @param setting  what the costs were measured on
inline std::string loss_pages(const std::map<std::string, LossCost>& costs,
                              const std::string& setting) {
  std::string text = fmt::format(
      "# Losses\n\nMade by `dmlbench document > docs/losses.md` from what the losses say of "
      "themselves. `dmltrain --help loss=NAME` shows the same\nat the terminal, with the options "
      "of distance, reducer and miner that are set inside a loss.\n\nMeasured: {}. \"learns\" is "
      "how many numbers it learns there (proxies, a classifier); they are in the checkpoint\nand "
      "have a rate of their own. \"memory\" is what forward and backward need beyond the "
      "embeddings.\n\n| loss | what it does | a batch needs | learns | time | memory |\n| --- | "
      "--- | --- | --- | --- | --- |\n",
      setting);
  for (const auto& [name, entry] : Registry<Loss>::entries()) {
    const LossCost& cost = costs.at(name);
    text += fmt::format("| [{0}](#{0}) | {1} | {2} | {3} | {4} | {5} |\n", name,
                        in_table(entry.about.summary), needs_text(cost.needs),
                        cost.learnt > 0 ? std::to_string(cost.learnt) : "-",
                        cost.measured ? fmt::format("{:.1f} ms", cost.milliseconds) : "-",
                        cost.measured ? fmt::format("{:.1f} MiB", cost.mib) : "-");
  }
  for (const auto& [name, entry] : Registry<Loss>::entries()) {
    text += fmt::format("\n## {}\n\n{}.\n", name, entry.about.summary);
    if (!entry.about.paper.empty()) text += fmt::format("\n*{}*\n", entry.about.paper);
    if (!entry.about.details.empty()) text += "\n" + entry.about.details + "\n";
    if (!costs.at(name).why.empty()) text += "\nNot measured: " + costs.at(name).why + "\n";
    if (entry.fields.empty()) continue;
    text += "\n| option | default | values | meaning |\n| --- | --- | --- | --- |\n";
    for (const FieldInfo& info : entry.fields)
      text += fmt::format("| `{}` | {} | {} | {} |\n", info.name, in_table(info.fallback),
                          in_table(values_text(info)), in_table(info.help));
  }
  return text;
}

}  // namespace dml::bench
