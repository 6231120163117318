#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/app.hpp"
#include "apps/training/model_file.hpp"
#include "apps/training/result.hpp"
#include "apps/training/session.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Options {
  std::string input, net, dataset, data_dir, split = "test", features, embeddings, labels;
  std::string metrics = "recall@1,recall@2,recall@4,recall@8,r_precision,map@r,nmi";
  std::string distance = "cosine";
  std::int64_t image_size = 0, resize = 0, batch_size = 64, workers = 2;
  std::vector<std::string> require, set;
  std::string save_embeddings, checkpoint = "best";
};

void add_flags(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.input, "folder of a run, checkpoint, or converted weights");
  app.add_option("--net", options.net, "the net, where the weights do not say it")
      ->type_name("NAME");
  app.add_option("--checkpoint", options.checkpoint, "which one of a run: best, last")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--dataset", options.dataset, "a dataset out of dmltrain --list datasets")
      ->type_name("NAME");
  app.add_option("--data-dir", options.data_dir, "its folder; $DML_DATA_DIR or ./data without")
      ->type_name("DIR");
  app.add_option("--set", options.set,
                 "an option of the dataset, as in --set dataset.train_classes=41")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  app.add_option("--split", options.split, "test, train, validation")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--metrics", options.metrics, "what is measured")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--features", options.features,
                 "an inner stage of the net, pooled, in place of the embedding")
      ->type_name("STAGE");
  app.add_option("--image-size", options.image_size, "side of the centre crop, pixels")
      ->type_name("N");
  app.add_option("--resize", options.resize, "shorter side before the crop, pixels")
      ->type_name("N");
  app.add_option("-b,--batch-size", options.batch_size, "images at once")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""));
  app.add_option("-j,--workers", options.workers, "threads that read images")
      ->type_name("N")
      ->check(CLI::Range(0, 256).description(""));
  app.add_option("--embeddings", options.embeddings, "embeddings in place of images and net")
      ->type_name("FILE.npy");
  app.add_option("--labels", options.labels, "their classes: .npy, or one whole number a line")
      ->type_name("FILE");
  app.add_option("--distance", options.distance, "cosine or euclidean")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--require", options.require, "exit 5 below this, as in recall@1=0.66")
      ->type_name("METRIC=VALUE")
      ->expected(1)
      ->take_all();
  app.add_option("--save-embeddings", options.save_embeddings, "writes the embeddings")
      ->type_name("FILE.npy");
}

struct Required {
  std::string metric;
  double value;
};

std::vector<Required> required(const Options& options) {
  std::vector<Required> all;
  for (const std::string& text : options.require) {
    const dml::Given one = [&] {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos)
        throw dml::UsageError("--require wants METRIC=VALUE, as in recall@1=0.66; found '" + text +
                              "'");
      return dml::Given{text.substr(0, equals), text.substr(equals + 1), text, dml::Layer::flag};
    }();
    double value = 0;
    dml::schema::assign({"--require " + one.key, "number", "", "", {0, 1}, ""}, one.text, value);
    dml::make_metric(one.key);
    all.push_back({one.key, value});
  }
  return all;
}

/// The metrics of the list, and those that are required beside it.
std::string all_metrics(const Options& options, const std::vector<Required>& wanted) {
  std::string list = options.metrics;
  for (const Required& one : wanted)
    if (("," + list + ",").find("," + one.metric + ",") == std::string::npos)
      list += "," + one.metric;
  return list;
}

std::vector<std::int64_t> read_labels(const fs::path& file) {
  std::vector<std::int64_t> labels;
  if (file.extension() == ".npy") {
    const dml::Tensor tensor = dml::read_npy(file).to(dml::DType::i64);
    for (const std::int64_t label : tensor.data<std::int64_t>()) labels.push_back(label);
    return labels;
  }
  std::istringstream lines(dml::read_file(file));
  std::int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    try {
      std::size_t end = 0;
      labels.push_back(std::stoll(line, &end));
      if (end != line.size()) throw std::invalid_argument(line);
    } catch (const std::exception&) {
      throw dml::FormatError(
          fmt::format("{}:{}: '{}' is not a whole number", file.string(), number, line));
    }
  }
  return labels;
}

/// "BGR input, 0..255, mean 104,117,128, deviation 1,1,1"
std::string input_text(const dml::Preprocessing& p) {
  return fmt::format("{} input, 0..{}, mean {}, deviation {}",
                     p.order == dml::Channels::bgr ? "BGR" : "RGB", 255 * p.scale,
                     fmt::join(p.mean, ","), fmt::join(p.std, ","));
}

/// What is evaluated, and how it came about, for the record.
struct Source {
  dml::RetrievalSet set;
  Json record;
};

Source from_embeddings(const Options& options) {
  if (options.labels.empty()) throw dml::UsageError("--embeddings wants --labels FILE beside it");
  Source source;
  source.set.embeddings = dml::read_npy(options.embeddings);
  if (source.set.embeddings.rank() != 2)
    throw dml::FormatError(fmt::format("{}: embeddings are [images, size], found {}",
                                       options.embeddings,
                                       dml::to_string(source.set.embeddings.shape())));
  if (source.set.embeddings.dtype() != dml::DType::f64)
    source.set.embeddings = source.set.embeddings.to(dml::DType::f32);
  source.set.labels = read_labels(options.labels);
  if (static_cast<std::int64_t>(source.set.labels.size()) != source.set.embeddings.dim(0))
    throw dml::DataError(fmt::format("{} has {} rows, {} has {} labels", options.embeddings,
                                     source.set.embeddings.dim(0), options.labels,
                                     source.set.labels.size()));
  source.record = {{"embeddings", options.embeddings}, {"labels", options.labels}};
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
    terminal_.note(fmt::format("weights want {}; using that", input_text(loaded.preprocessing)));
    const dml::WeightHold hold = loaded.model->net().hold_weights();
    const auto embedder = [&](const dml::Var& batch) {
      return options_.features.empty() ? (*loaded.model)(batch).embedding
                                       : loaded.model->stage_features(batch, options_.features);
    };
    Source source;
    source.set = dml::retrieval_set(
        dml::embed_images(device_, embedder, loader, options_.batch_size), items);
    source.record = {{"checkpoint", file.string()},
                     {"net", loaded.net},
                     {"features", options_.features.empty() ? "embedding" : options_.features},
                     {"dataset", dataset_},
                     {"fingerprint", fingerprint_},
                     {"split", options_.split},
                     {"preprocessing", Json::parse(dml::to_json(loaded.preprocessing))},
                     {"resize", resize_},
                     {"image_size", size_}};
    return source;
  }

 private:
  fs::path checkpoint_file() {
    const fs::path input = options_.input;
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
    const std::vector<dml::Item> items = manifest.of(split);
    if (items.empty())
      throw dml::DataError(fmt::format("{}: no images in split '{}' of {}", dataset_,
                                       options_.split, manifest.root.string()));
    return items;
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
  std::int64_t size_ = 224;
};

int evaluate(const Options& options, const dml::Terminal& terminal) {
  const std::vector<Required> wanted = required(options);
  const std::string metrics = all_metrics(options, wanted);
  dml::make_metrics(metrics);
  if (options.input.empty() == options.embeddings.empty())
    throw dml::UsageError(
        "what is to be evaluated? A run, a checkpoint, or --embeddings FILE.npy --labels FILE");
  dml::Device device = terminal.open_device();
  const dml::EvaluateOptions how{.distance = dml::distance_of(options.distance)};
  const Source source = options.embeddings.empty()
                            ? ImageEvaluation(options, terminal, device).run()
                            : from_embeddings(options);
  if (!options.save_embeddings.empty())
    dml::write_npy(options.save_embeddings, source.set.embeddings);
  const dml::Measurement result = dml::measure(device, source.set, metrics, how);

  Json json = source.record;
  json["images"] = source.set.labels.size();
  json["size"] = source.set.embeddings.dim(1);
  json["protocol"] = result.protocol;
  for (const auto& [name, value] : result.figures) json["metrics"][name] = value;
  std::string missed;
  for (const Required& one : wanted) {
    const double value = dml::figure(result.figures, one.metric, 0);
    if (value < one.value)
      missed += fmt::format("{}{} is {:.4f}, {} is required", missed.empty() ? "" : "\n",
                            one.metric, value, one.value);
  }
  const std::string title =
      fmt::format("{} images, {}-d", source.set.labels.size(), source.set.embeddings.dim(1));
  terminal.print(terminal.json ? json.dump(2) : dml::figures_table({{title, result.figures}}));
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
           {"dmleval runs/mine", "dmleval runs/mine --split test --json --require recall@1=0.66",
            "dmleval resnet18.safetensors --features layer3 --dataset folder --data-dir photos",
            "dmleval --embeddings x.npy --labels y.npy --distance euclidean"},
       .flags = [&](CLI::App& app) { add_flags(app, options); },
       .run = [&](const dml::Terminal& terminal) { return evaluate(options, terminal); }});
}
