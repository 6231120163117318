#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/common/net_target.hpp"
#include "apps/common/onnx_export.hpp"
#include "apps/common/records.hpp"
#include "apps/common/weight_check.hpp"
#include "weights_convert/convert.hpp"

namespace dml {
namespace {

/// The tool's own flags.
struct Options {
  std::string input, output, net, from = "auto", to = "safetensors", map;
  std::int64_t classes = 0;
  bool list = false, lenient = false, check = false;
};

void add_flags(CLI::App& app, Options& options) {
  app.add_option(
         "INPUT", options.input,
         "a .pth/.pt file of any torch version, a .safetensors file, a folder of .npy files")
      ->required();
  app.add_option("-o,--output", options.output,
                 "the file to write; else INPUT with the ending of the format")
      ->type_name("FILE");
  app.add_option("--net", options.net, "bring names and shapes to this net (resnet50, bninception)")
      ->type_name("NAME");
  app.add_option("--from", options.from, "whose names the file has; auto tries all")
      ->type_name("SOURCE")
      ->capture_default_str();
  app.add_option("--to", options.to,
                 "what is written: safetensors; onnx, the graph from images to embedding; pth for "
                 "torch.load; pth-names, safetensors of the net alone under PyTorch's names")
      ->type_name("{safetensors,onnx,pth,pth-names}")
      ->capture_default_str();
  app.add_option("--classes", options.classes,
                 "classes of the net; a classifier of another size is kept out")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31).description(""));
  app.add_option(
         "--map", options.map,
         "a TOML file with names of one's own: [rename] \"encoder.\" = \"\", drop = [\"ema.\"]")
      ->type_name("RULES.toml");
  app.add_flag("--lenient,!--no-lenient", options.lenient,
               "missing and extra tensors are notes, not errors");
  app.add_flag("--list,!--no-list", options.list, "show the tensors and write nothing");
  app.add_flag("--check,!--no-check", options.check,
               "run a fixed picture through the net and compare with the features that are stored "
               "with the weights; where none are, they are stored now");
}

/// The net that a file of ours says it is of; empty for others.
std::string net_in(const std::string& input) {
  if (std::filesystem::path(input).extension() != ".safetensors") return {};
  std::map<std::string, std::string> metadata;
  list_safetensors(input, &metadata);
  return metadata["net"];
}

weights::ConvertOptions plan(const Options& options, weights::Target target) {
  weights::ConvertOptions result;
  result.input = options.input;
  result.from = options.from;
  result.lenient = options.lenient;
  if (!options.map.empty()) result.renaming = weights::Renaming::read(options.map);
  result.metadata["dml.format"] = "weights 1";
  result.metadata["program"] = std::string("convert_weights ") + version();
  if (options.from != "auto") static_cast<void>(Registry<weights::Rule>::find(options.from));
  const bool names = target == weights::Target::pth_names;
  const std::string name = options.net.empty() && names ? net_in(options.input) : options.net;
  if (name.empty() && names)
    throw UsageError(options.input +
                     " does not say which net it belongs to\n  --net NAME says it, and so whose "
                     "names are wanted");
  if (name.empty()) return result;
  NetDescription net = describe_net(name, options.classes);
  result.metadata["net"] = net.target.name;
  result.metadata["preprocessing"] = to_json(net.preprocessing);
  result.net = std::move(net.target);
  return result;
}

std::int64_t elements(const weights::NamedTensors& tensors) {
  std::int64_t all = 0;
  for (const auto& [name, tensor] : tensors) all += tensor.size();
  return all;
}

void print_list(const Terminal& terminal, const weights::Converted& converted) {
  const weights::NamedTensors& tensors = converted.mapping.tensors;
  std::size_t width = 0;
  for (const auto& [name, tensor] : tensors) width = std::max(width, name.size());
  width = std::min<std::size_t>(width, 60);
  for (const auto& [name, tensor] : tensors) {
    // A line feed inside a name would forge a line.
    std::string shown = printable(name);
    for (std::size_t at = shown.find('\n'); at != std::string::npos; at = shown.find('\n', at))
      shown.replace(at, 1, "\\x0a");
    terminal.print(fmt::format("{:<{}}  {:<4}  {}", shown, width, name_of(tensor.dtype()),
                               to_string(tensor.shape())));
  }
  terminal.print(fmt::format("{} tensors, {} numbers; {}", tensors.size(), elements(tensors),
                             converted.source.format));
}

nlohmann::json result_json(const weights::Converted& converted, bool with_tensors) {
  const weights::Mapping& mapping = converted.mapping;
  nlohmann::json result = {{"format", converted.source.format},
                           {"sha256", converted.source.sha256},
                           {"tensors", mapping.tensors.size()},
                           {"numbers", elements(mapping.tensors)},
                           {"left_out", converted.source.left_out},
                           {"missing", mapping.missing},
                           {"extra", mapping.extra},
                           {"absent_stages", mapping.absent},
                           {"metadata", converted.metadata}};
  for (const weights::Mapping::Misfit& one : mapping.kept_out)
    result["kept_out"].push_back(one.name);
  if (!with_tensors) return result;
  result["list"] = nlohmann::json::array();
  for (const auto& [name, tensor] : mapping.tensors)
    result["list"].push_back(
        {{"name", name}, {"dtype", name_of(tensor.dtype())}, {"shape", tensor.shape()}});
  return result;
}

/// What was left aside although the conversion succeeded.
void print_notes(const Terminal& terminal, const Options& options,
                 const weights::Converted& converted) {
  const weights::Mapping& mapping = converted.mapping;
  std::string text;
  for (const std::string& part : {mapping.problems(4), mapping.remarks(4)})
    if (!part.empty()) text += "\n" + part;
  if (!text.empty())
    terminal.note(fmt::format("{}: {} of {} tensors taken{}", options.input, mapping.tensors.size(),
                              mapping.given, text));
  if (!converted.of_loss.empty())
    terminal.note(fmt::format("{} tensors of the loss are left out: {}", converted.of_loss.size(),
                              fmt::join(converted.of_loss, ", ")));
  if (converted.source.left_out > 0)
    terminal.detail(fmt::format("{} values beside the weights are no tensors and were left out",
                                converted.source.left_out));
}

/// What --check found.
struct Checked {
  FixedFeatures features;
  bool stored = false;    ///< whether the input had features to compare with
  double difference = 0;  ///< to these, in their length
};

/// Features of the same weights on two machines differ by rounding alone.
constexpr double may_differ = 1e-3;

Checked check(const weights::Converted& converted, const std::string& input) {
  if (!converted.metadata.contains("net"))
    throw UsageError(input + ": --check wants the name of its net: --net NAME");
  Checked result;
  result.features = fixed_features({converted.mapping.tensors, converted.metadata}, input,
                                   converted.mapping.last_stage);
  const auto stored = converted.metadata.find(FixedFeatures::metadata_key);
  if (stored == converted.metadata.end()) return result;
  result.stored = true;
  result.difference = apart(result.features, FixedFeatures::from_json(stored->second));
  if (!(result.difference <= may_differ))
    throw FormatError(fmt::format(
        "{}: the features of a fixed picture differ from those stored with the weights by {:.1e} "
        "of "
        "their length; up to {:.0e} is rounding\n  the tensors or their preprocessing were changed "
        "after the features were stored; convert the original file again",
        input, result.difference, may_differ));
  return result;
}

/// Reads a file that was just written and compares what it computes.
void check_written(const std::filesystem::path& output, const weights::Converted& converted,
                   const Checked& before) {
  SafeTensors again{weights::read_weights(output).tensors, converted.metadata};
  const double difference =
      apart(fixed_features(again, output.string(), converted.mapping.last_stage), before.features);
  if (!(difference <= may_differ))
    throw Error(fmt::format("{}: read back, the weights give other features ({:.1e})",
                            output.string(), difference));
}

std::string text_of(const Checked& checked, bool stores) {
  if (checked.stored)
    return fmt::format(
        "check: the features of a fixed picture are the stored ones (difference {:.1e} of their "
        "length)",
        checked.difference);
  const std::string text = "check: the file holds no features to compare with; ";
  return text + (stores ? "those of a fixed picture are stored now"
                        : "--check with -o FILE.safetensors stores them");
}

int run(const Terminal& terminal, const Options& options) {
  const weights::Target target = weights::target_of(options.to);
  const std::filesystem::path output = options.output.empty()
                                           ? weights::default_output(options.input, target)
                                           : std::filesystem::path(options.output);
  std::error_code none;
  if (!options.list && std::filesystem::equivalent(output, options.input, none))
    throw UsageError(options.input + ": would be written over itself; name another file with -o");
  weights::Converted converted = weights::convert(plan(options, target));
  print_notes(terminal, options, converted);
  std::optional<Checked> checked;
  if (options.check) {
    checked = check(converted, options.input);
    converted.metadata[FixedFeatures::metadata_key] = checked->features.to_json();
  }
  std::optional<OnnxExport> graph;
  if (!options.list && target == weights::Target::onnx) {
    graph = export_onnx({converted.mapping.tensors, converted.metadata}, options.input, output);
    for (const std::string& note : graph->notes) terminal.note(note);
  } else if (!options.list) {
    weights::write_converted(converted, output, target);
    if (checked) check_written(output, converted, *checked);
  }
  if (terminal.json) {
    nlohmann::json result = result_json(converted, options.list);
    if (!options.list) result["output"] = output.string();
    if (graph)
      result["graph"] = {{"nodes", graph->nodes},
                         {"image_size", graph->size},
                         {"features", graph->features},
                         {"embedding", graph->dim}};
    if (checked)
      result["check"] = {{"compared", checked->stored}, {"difference", checked->difference}};
    terminal.print(json_text(result));
  } else if (options.list) {
    print_list(terminal, converted);
  } else if (graph) {
    terminal.print(fmt::format(
        "{}: {} nodes, {} weights; images [batch, 3, {}, {}] -> features [batch, {}], embedding "
        "[batch, {}]",
        output.string(), graph->nodes, graph->weights, graph->size, graph->size, graph->features,
        graph->dim));
  } else {
    terminal.print(fmt::format("{}: {} tensors, {} numbers, from {}", output.string(),
                               converted.mapping.tensors.size(),
                               elements(converted.mapping.tensors), converted.source.format));
  }
  if (checked && !terminal.json)
    terminal.print(text_of(*checked, !options.list && target != weights::Target::pth));
  return exit_done;
}

std::vector<std::string> sources() {
  std::vector<std::string> names = Registry<weights::Rule>::names();
  names.insert(names.begin(), "auto");
  return names;
}

}  // namespace
}  // namespace dml

int main(int argc, char** argv) {
  dml::Options options;
  return dml::run_tool(
      argc, argv,
      {.name = "convert_weights",
       .summary = "Converts weights of PyTorch to safetensors without running anything in them.",
       .examples = {"convert_weights model.pth --list",
                    "convert_weights model.pth -o model.safetensors",
                    "convert_weights bn_inception-52deb4733.pth --net bninception --check",
                    "convert_weights runs/mine/checkpoints/best.safetensors --net resnet50 --to "
                    "pth -o mine.pth",
                    "convert_weights runs/mine/checkpoints/best.safetensors --to onnx -o "
                    "mine.onnx"},
       .flags = [&](CLI::App& app) { dml::add_flags(app, options); },
       .run = [&](const dml::Terminal& terminal) { return dml::run(terminal, options); },
       .words =
           [] {
             return std::map<std::string, std::vector<std::string>>{
                 {"--net", dml::Registry<dml::Net>::names()},
                 {"--from", dml::sources()},
                 {"--to", {"safetensors", "onnx", "pth", "pth-names"}}};
           }});
}
