#include "weights_convert/convert.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"
#include "engine/names.hpp"
#include "engine/safetensors.hpp"
#include "weights_convert/torch_writer.hpp"

namespace dml::weights {
namespace {

constexpr std::size_t most_lines = 4;

/// Everything as it is, except for what the rules of a named source change.
Mapping keep_all(NamedTensors tensors, const std::string& source) {
  Mapping mapping;
  mapping.given = tensors.size();
  if (source == "auto") {
    mapping.tensors = std::move(tensors);
    return mapping;
  }
  Draft draft(std::move(tensors), nullptr);
  apply_rules(source, draft);
  mapping.merged = draft.merged();
  mapping.tensors = draft.take();
  return mapping;
}

void require_fit(const ConvertOptions& options, const Mapping& mapping) {
  const std::string input = options.input.string();
  const std::string& net = options.net->name;
  if (mapping.tensors.empty())
    throw FormatError(fmt::format("{}: none of its {} tensors belongs to net '{}'\n{}", input,
                                  mapping.given, net, mapping.problems(2)));
  const bool fits = options.lenient ? mapping.misfits.empty() : mapping.fits();
  if (fits) return;
  const std::size_t wrong = mapping.misfits.size() + mapping.missing.size() + mapping.extra.size();
  throw FormatError(fmt::format("{}: {} of {} tensors do not fit net '{}'{}\n{}", input, wrong,
                                mapping.given + mapping.missing.size(), net,
                                mapping.misfits.empty() ? " (--lenient takes those that do)" : "",
                                mapping.problems(most_lines)));
}

/// Takes the loss's own tensors out of a checkpoint of a training. A classifier that the loss has
/// learnt on the net's features becomes the net's.
std::vector<std::string> take_off_loss(NamedTensors& tensors, const NetTarget& net) {
  const std::string prefix = "loss.", classifier = "loss.classifier.";
  bool fits = false;
  for (const auto& [name, tensor] : tensors)
    fits =
        fits || (name == classifier + "weight" && tensor.rank() == 2 && tensor.dim(1) == net.width);
  std::vector<std::string> gone;
  NamedTensors kept;
  for (auto& [name, tensor] : tensors) {
    if (fits && name.rfind(classifier, 0) == 0) {
      kept.emplace_back(net.classifier + "." + name.substr(classifier.size()), std::move(tensor));
    } else if (name.rfind(prefix, 0) == 0) {
      gone.push_back(name);
    } else {
      kept.emplace_back(name, std::move(tensor));
    }
  }
  tensors = std::move(kept);
  return gone;
}

/// Whether a training of ours wrote the file.
bool is_checkpoint(const Weights& source) {
  const auto format = source.metadata.find("dml.format");
  return format != source.metadata.end() && format->second.rfind("checkpoint", 0) == 0;
}

}  // namespace

Target target_of(const std::string& name) {
  static const std::vector<std::pair<std::string, Target>> known{
      {"safetensors", Target::safetensors},
      {"pth", Target::pth},
      {"pth-names", Target::pth_names},
      {"onnx", Target::onnx}};
  std::vector<std::string> names;
  for (const auto& [one, target] : known) {
    if (canonical(name) == canonical(one)) return target;
    names.push_back(one);
  }
  throw UsageError("--to: no format named '" + name + "'" + suggestion(name, names));
}

Converted convert(const ConvertOptions& options) {
  Converted result;
  result.source = read_weights(options.input);
  NamedTensors tensors = std::move(result.source.tensors);
  if (options.renaming) tensors = options.renaming->apply(std::move(tensors));
  if (options.net) {
    if (is_checkpoint(result.source)) result.of_loss = take_off_loss(tensors, *options.net);
    result.mapping = map_onto(std::move(tensors), *options.net, options.from);
    require_fit(options, result.mapping);
  } else {
    result.mapping = keep_all(std::move(tensors), options.from);
  }
  result.metadata = result.source.metadata;
  for (const auto& [key, value] : options.metadata) result.metadata[key] = value;
  // A file that was converted before keeps the name of what it came from.
  const std::filesystem::path name = options.input.has_filename()
                                         ? options.input.filename()
                                         : options.input.parent_path().filename();
  result.metadata.emplace("source", name.string());
  result.metadata.emplace("source.sha256", result.source.sha256);
  return result;
}

void write_converted(const Converted& converted, const std::filesystem::path& output,
                     Target target) {
  if (target == Target::pth) {
    write_torch(output, converted.mapping.tensors);
    return;
  }
  write_safetensors(output, {converted.mapping.tensors, converted.metadata});
}

std::filesystem::path default_output(const std::filesystem::path& input, Target target) {
  static constexpr const char* endings[] = {".pth",  ".pt",  ".th",         ".bin",
                                            ".ckpt", ".pkl", ".safetensors"};
  std::filesystem::path output = input;
  if (!output.has_filename()) output = output.parent_path();
  if (output.extension() == ".tar") output.replace_extension();
  const std::string ending = output.extension().string();
  if (std::find(std::begin(endings), std::end(endings), ending) != std::end(endings))
    output.replace_extension();
  output += target == Target::pth ? ".pth" : target == Target::onnx ? ".onnx" : ".safetensors";
  return output;
}

}  // namespace dml::weights
