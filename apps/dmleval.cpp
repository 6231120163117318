#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "apps/common/runs.hpp"
#include "apps/evaluation/embedding_files.hpp"
#include "apps/evaluation/flags.hpp"
#include "apps/evaluation/record.hpp"
#include "apps/training/model_file.hpp"
#include "apps/training/result.hpp"
#include "apps/training/schema.hpp"
#include "apps/training/session.hpp"
#include "engine/interrupted.hpp"
#include "engine/npy.hpp"

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

using Options = dml::EvaluationFlags;

/// "BGR input, mean 104,117,128", and what of scale and deviation is not 1.
std::string input_text(const dml::Preprocessing& p) {
  std::string text = fmt::format(
      "{} input{}, mean {}", p.order == dml::Channels::bgr ? "BGR" : "RGB",
      p.scale == 1 ? "" : fmt::format(", 0..{}", 255 * p.scale), fmt::join(p.mean, ","));
  const bool divided = std::any_of(p.std.begin(), p.std.end(), [](auto one) { return one != 1; });
  return divided ? text + fmt::format(", deviation {}", fmt::join(p.std, ",")) : text;
}

/// What is evaluated, and how it came about, for the record.
struct Source {
  dml::RetrievalSet set;
  Json record;
};

Source from_embeddings(const Options& options) {
  const dml::EmbeddingFiles& files = options.files;
  Source source{.set = dml::read_embedding_files(files),
                .record = {{"embeddings", files.embeddings}, {"labels", files.labels}}};
  options.choose_rows(source.set, {});
  if (!files.gallery_embeddings.empty()) {
    source.record["gallery_embeddings"] = files.gallery_embeddings;
    source.record["gallery_labels"] = files.gallery_labels;
  }
  return source;
}

/// The evaluation of a model on images.
class ImageEvaluation {
 public:
  ImageEvaluation(const Options& options, const dml::Terminal& terminal, dml::Device& device)
      : options_(options), terminal_(terminal), device_(device) {}

  Source run() {
    const fs::path file = checkpoint_file();
    dml::LoadedModel loaded = dml::load_model(device_, file, options_.net);
    tell_missing(loaded, file);
    const std::vector<dml::Item> items = images(loaded.metadata);
    const dml::Pipeline pipeline = transform(loaded.metadata);
    dml::Loader loader(items, pipeline, loaded.preprocessing, {.workers = options_.workers});
    terminal_.note(fmt::format("checkpoint was trained with {}; using that",
                               input_text(loaded.preprocessing)));
    const dml::WeightHold hold = loaded.model->net().hold_weights();
    const auto embedder = [&](const dml::Var& batch) {
      return options_.features.empty() ? loaded.embed(batch)
                                       : loaded.model->stage_features(batch, options_.features);
    };
    Source source;
    source.set = dml::retrieval_set(
        dml::embed_images(device_, embedder, loader, options_.batch_size, dml::keep_going), items);
    options_.choose_rows(source.set, names_of(items));
    source.record = {{"checkpoint", file.string()},
                     {"net", loaded.net},
                     {"features", options_.features.empty() ? "embedding" : options_.features},
                     {"dataset", dataset_},
                     {"fingerprint", fingerprint_},
                     {"split", options_.split},
                     {"left_out", left_out_},
                     {"preprocessing", Json::parse(dml::to_json(loaded.preprocessing))},
                     {"resize", resize_},
                     {"image_size", size_}};
    return source;
  }

 private:
  fs::path checkpoint_file() {
    const fs::path input = options_.input;
    if (!fs::exists(input))
      throw dml::DataError(
          fmt::format("{}: there is no such run folder or weights file\n"
                      "  dmltrain -o {} makes one, convert_weights makes weights",
                      options_.input, options_.input));
    if (!fs::is_directory(input)) return input;
    const dml::RunFolder run = dml::RunFolder::open(input);
    config_ = dml::read_toml(run.config(), dml::Layer::file);
    const fs::path best = run.checkpoint(options_.checkpoint).weights();
    if (fs::exists(best) || options_.checkpoint != "best") return best;
    return run.checkpoint("last").weights();  // a run without evaluations has no best
  }

  /// A value of the run's own configuration; empty for a lone file.
  std::string configured(const std::string& key) const {
    for (const dml::Given& one : config_)
      if (one.key == key) return one.text;
    return "";
  }

  static std::string text(const dml::Metadata& metadata, const std::string& key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? "" : found->second;
  }

  void tell_missing(const dml::LoadedModel& loaded, const fs::path& file) const {
    if (!options_.features.empty() || loaded.report.missing.empty()) return;
    throw dml::FormatError(
        fmt::format("{} lacks {} tensors of net '{}': {}\n  --features STAGE embeds from an inner "
                    "stage that is there",
                    file.string(), loaded.report.missing.size(), loaded.net,
                    dml::WeightReport::name_list(loaded.report.missing, 4)));
  }

  std::vector<dml::Item> images(const dml::Metadata& metadata) {
    dataset_ = !options_.dataset.empty() ? options_.dataset : text(metadata, "dataset");
    if (dataset_.empty())
      throw dml::UsageError("--dataset NAME: on which images?  (dmltrain --list datasets)");
    dml::Settings settings;
    const bool same = dml::canonical(configured("dataset.name")) == dml::canonical(dataset_);
    for (const dml::Given& one : config_)
      if (same && one.key.rfind("dataset.", 0) == 0 && one.key != "dataset.name")
        settings[one.key.substr(8)] = one.text;
    for (const std::string& assignment : options_.set) {
      const dml::Given one = dml::parse_assignment(assignment);
      if (one.key.rfind("dataset.", 0) != 0)
        throw dml::UsageError(
            "--set: only options of the dataset, as in dataset.train_classes=41; found '" +
            one.key + "'");
      settings[one.key.substr(8)] = one.text;
    }
    const std::string folder = !options_.data_dir.empty() ? options_.data_dir
                               : same                     ? configured("data_dir")
                                                          : "";
    dml::Manifest manifest =
        dml::read_dataset(dataset_, settings, dml::data_folder(folder),
                          [&](const std::string& note) { terminal_.note(note); });
    fingerprint_ = dml::fingerprint(manifest);
    const dml::Split split = dml::split_of(options_.split);
    if (split == dml::Split::validation) {
      const std::string share = configured("validation_classes");
      manifest = dml::with_validation(manifest, share.empty() ? 0.2 : std::stod(share));
    }
    root_ = manifest.root;
    manifest.items = manifest.of(split);
    if (manifest.items.empty())
      throw dml::DataError(fmt::format("{}: no images in split '{}' of {}", dataset_,
                                       options_.split, manifest.root.string()));
    if (options_.skips_bad_images())
      left_out_ = dml::leave_out_bad_images(
          manifest, device_.threads(), [&](const std::string& text) { terminal_.note(text); },
          dml::keep_going);
    return manifest.items;
  }

  /// Paths below the folder of the dataset, as --queries and --gallery name them.
  std::vector<std::string> names_of(const std::vector<dml::Item>& items) const {
    std::vector<std::string> names;
    for (const dml::Item& item : items)
      names.push_back(item.file.lexically_relative(root_).generic_string());
    return names;
  }

  /// The test transform of the training, unless flags say otherwise.
  dml::Pipeline transform(const dml::Metadata& metadata) {
    const std::string trained = text(metadata, "image_size");
    size_ = options_.image_size > 0 ? options_.image_size
            : trained.empty()       ? 224
                                    : std::stoll(trained);
    const std::string augment = text(metadata, "augment");
    if (options_.resize == 0 && !augment.empty()) {
      resize_ = "as trained (" + augment + ")";
      return dml::Registry<dml::Augment>::make(
                 augment, dml::settings_from_json(text(metadata, "augment.options")),
                 {.size = size_})
          ->test();
    }
    dml::Settings settings;
    if (options_.resize > 0) settings["resize"] = std::to_string(options_.resize);
    resize_ = options_.resize > 0 ? std::to_string(options_.resize) : "256 / 224 of the size";
    return dml::Registry<dml::Augment>::make("standard", settings, {.size = size_})->test();
  }

  const Options& options_;
  const dml::Terminal& terminal_;
  dml::Device& device_;
  std::vector<dml::Given> config_;
  std::string dataset_, fingerprint_, resize_;
  fs::path root_;
  std::int64_t left_out_ = 0;
  std::int64_t size_ = 224;
};

/// Everything that came out, as one object.
Json record_of(const Options& options, const Source& source, const dml::Measurement& result) {
  Json json = dml::evaluation_json(source.record, source.set, result);
  if (!options.per_class) return json;
  for (std::size_t i = 0; i < result.figures.size(); ++i) {
    const std::string& column = result.evaluation.values[i].first;
    if (!result.evaluation.of_queries.contains(column)) continue;
    for (const auto& [label, mean] : result.evaluation.by_class(column))
      json["per_class"][result.figures[i].first][std::to_string(label)] = mean;
  }
  return json;
}

/// The same for people: figures, then by what rules they came about.
std::string text_of(const Source& source, const dml::Measurement& result) {
  const std::string title =
      fmt::format("{} images, {}-d", source.set.labels.size(), source.set.embeddings.dim(1));
  std::string text = dml::figures_table({{title, result.figures}});
  for (const auto& [name, rule] : result.protocol) text += fmt::format("\n  {}: {}", name, rule);
  return text;
}

void save_files(const Options& options, const Source& source, const dml::Measurement& result) {
  if (!options.save_embeddings.empty())
    dml::write_npy(options.save_embeddings, source.set.embeddings);
  if (!options.save_neighbours.empty()) dml::write_neighbours(options.save_neighbours, result);
}

/// The runs below a folder that is none itself; empty for every other input.
std::vector<dml::RunSummary> runs_below(const Options& options) {
  if (!fs::is_directory(options.input) || dml::RunFolder::holds_run(options.input)) return {};
  return dml::find_runs(options.input);
}

/// Every run of a folder. A run that cannot be evaluated is named, and the others
/// are; its error is the exit status.
int evaluate_runs(const Options& options, const std::vector<dml::RunSummary>& runs,
                  const dml::Terminal& terminal) {
  if (!options.save_embeddings.empty() || !options.save_neighbours.empty())
    throw dml::UsageError("--save-embeddings and --save-neighbours are for one run, and " +
                          options.input + " holds " + std::to_string(runs.size()));
  const std::string metrics = options.all_metrics();
  const dml::EvaluateOptions how = options.how();
  dml::Device device = terminal.open_device();
  int status = dml::exit_done;
  std::vector<std::pair<std::string, dml::Figures>> rows;
  Json records = Json::array();
  for (const dml::RunSummary& run : runs) {
    Options one = options;
    one.input = run.folder.string();
    try {
      const Source source = ImageEvaluation(one, terminal, device).run();
      const dml::Measurement result = dml::measure(device, source.set, metrics, how);
      rows.emplace_back(run.name, result.figures);
      Json record = record_of(one, source, result);
      record["run"] = one.input;
      records.push_back(std::move(record));
      const std::string missed = options.missed(result.figures);
      if (missed.empty()) continue;
      terminal.note(run.name + ": " + missed);
      if (status == dml::exit_done) status = dml::exit_not_reached;
    } catch (const dml::Interrupted&) {
      throw;
    } catch (const dml::Error& error) {
      terminal.note(run.name + ": " + error.what());
      status = error.exit_code();
    }
  }
  terminal.print(terminal.json ? dml::json_text({{"runs", records}}) : dml::figures_table(rows));
  return status;
}

int evaluate(const Options& options, const dml::Terminal& terminal) {
  if (!options.list.empty()) {
    terminal.print(dml::component_list(options.list, terminal.json));
    return dml::exit_done;
  }
  const std::string metrics = options.all_metrics();
  dml::make_metrics(metrics);
  if (options.input.empty() == options.files.embeddings.empty())
    throw dml::UsageError(
        "what is to be evaluated? A run, a checkpoint, or --embeddings FILE.npy --labels FILE");
  const dml::EvaluateOptions how = options.how();
  dml::listen_for_interrupts();
  if (const auto runs = runs_below(options); !runs.empty())
    return evaluate_runs(options, runs, terminal);
  dml::Device device = terminal.open_device();
  const Source source = options.files.embeddings.empty()
                            ? ImageEvaluation(options, terminal, device).run()
                            : from_embeddings(options);
  const dml::Measurement result = dml::measure(device, source.set, metrics, how);
  save_files(options, source, result);
  terminal.print(terminal.json ? dml::json_text(record_of(options, source, result))
                               : text_of(source, result));
  for (const auto& [name, value] : result.figures)
    if (std::isnan(value)) terminal.note(name + " is undefined: no item that it could count");
  const std::string missed = options.missed(result.figures);
  if (missed.empty()) return dml::exit_done;
  terminal.note(missed);
  return dml::exit_not_reached;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  return dml::run_tool(
      argc, argv,
      {.name = "dmleval",
       .summary = "measures how well an embedding retrieves",
       .examples =
           {"dmleval runs/mine", "dmleval runs",
            "dmleval runs/mine --split test --json --require recall@1=0.66",
            "dmleval resnet18.safetensors --features layer3 --dataset folder --data-dir photos",
            "dmleval --embeddings x.npy --labels y.npy --distance euclidean",
            "dmleval --embeddings q.npy --labels q.txt --gallery-embeddings g.npy "
            "--gallery-labels g.txt --metrics recall@1,map",
            "dmleval --list metrics", "dmleval --help metric=map"},
       .flags = [&](CLI::App& app) { options.add_to(app); },
       .run = [&](const dml::Terminal& terminal) { return evaluate(options, terminal); },
       .help = dml::topic_help,
       .words = dml::training_words});
}
