#include "apps/training/schema.hpp"

#include <algorithm>

#include "data/transform.hpp"
#include "dml/groups.hpp"
#include "dml/loss.hpp"
#include "dml/metric.hpp"
#include "dml/optimizer.hpp"
#include "dml/sampler.hpp"
#include "dml/schedule.hpp"
#include "nets/head.hpp"

namespace dml {
namespace {

/// Settings outside components. Places (--output, --config) are not among them: a configuration
/// says what a run is, not where it lies.
struct RunOptions {
  std::string preset;
  std::string data_dir;
  std::string weights = "none";
  std::string freeze_batch_norm = "false";
  std::int64_t image_size = 224;
  std::string on_bad_image = "fail";
  std::string protocol = "paper";
  double validation_classes = 0.2;
  std::int64_t batch_size = 0;
  std::int64_t epochs = 30;
  std::int64_t steps = 0;
  std::int64_t seed = 1;
  std::string precision = "fp32";
  std::int64_t warmup_epochs = 0;
  double warmup_start = 0.1;
  std::string warmup_by = "epoch";
  double clip_grad_norm = 0;
  double clip_grad_value = 0;
  std::int64_t workers = 2;
  std::int64_t eval_every = 1;
  bool eval_before = false;
  std::int64_t eval_batch_size = 64;
  std::string metrics = "recall@1,recall@2,recall@4,recall@8,nmi";
  std::string select_by = "recall@1";
  std::int64_t checkpoint_every = 0;
  std::int64_t keep = 0;
  std::int64_t log_every = 10;
  bool tensorboard = true;
  std::int64_t freeze_net_epochs = 0;
  static constexpr std::tuple fields{
      field("preset", &RunOptions::preset, "the published experiment that this run follows"),
      field("data_dir", &RunOptions::data_dir,
            "folder of the dataset; empty: $DML_DATA_DIR, else ./data"),
      field("weights", &RunOptions::weights,
            "file that the weights start from (convert_weights makes it), or none"),
      field("freeze_batch_norm", &RunOptions::freeze_batch_norm,
            "false: statistics of the batch; statistics: the running ones, weights still learn; "
            "true: nothing of batch norm changes",
            "false|statistics|true"),
      field("image_size", &RunOptions::image_size, "side of the images that the net sees, pixels",
            {8, 4096}),
      field(
          "on_bad_image", &RunOptions::on_bad_image,
          "fail: the first image that cannot be read ends the run; skip: all are looked at before "
          "the first step, and those that cannot be read are named and left out",
          "fail|skip"),
      field("protocol", &RunOptions::protocol,
            "paper: the best epoch is chosen on the test classes, as in most publications; honest: "
            "on classes taken off the training set, and the test classes are looked at once",
            "paper|honest"),
      field("validation_classes", &RunOptions::validation_classes,
            "share of the training classes that choose the epoch (protocol honest)", {0, 0.9}),
      field("batch_size", &RunOptions::batch_size, "images in a batch; 0: the sampler's own number",
            {0, 1e6}),
      field("epochs", &RunOptions::epochs, "passes of the sampler", {1, 1e6}),
      field("steps", &RunOptions::steps, "steps in place of epochs; 0: by epochs", {0, 1e12}),
      field("seed", &RunOptions::seed, "of everything random; same seed, same bits", {0, 1e18}),
      field(
          "precision", &RunOptions::precision,
          "arithmetic of the net in training; bf16: maps and weights of the net in half the bytes, "
          "8 bits of mantissa, sums and all behind the net in fp32 (a GPU, or a processor with "
          "AVX512-BF16); tf32: convolutions on the tensor cores of a GPU, 10 bits of mantissa; "
          "fp16 is refused",
          "fp32|tf32|bf16|fp16"),
      field("warmup_epochs", &RunOptions::warmup_epochs,
            "epochs in which the learning rate rises before the schedule begins", {0, 1e6}),
      field("warmup_start", &RunOptions::warmup_start, "share of the rate that a warm-up begins at",
            {0, 1}),
      field("warmup_by", &RunOptions::warmup_by, "when the rate rises in a warm-up", "epoch|step"),
      field("clip_grad_norm", &RunOptions::clip_grad_norm,
            "gradients are scaled down to this norm; 0: never", {0, 1e9}),
      field("clip_grad_value", &RunOptions::clip_grad_value,
            "elements of gradients are cut to this size; 0: never", {0, 1e9}),
      field("workers", &RunOptions::workers,
            "threads that read images; the results do not depend on it", {0, 256}),
      field("eval_every", &RunOptions::eval_every, "epochs between evaluations; 0: none", {0, 1e6}),
      field("eval_before", &RunOptions::eval_before, "also measure before the first step"),
      field("eval_batch_size", &RunOptions::eval_batch_size, "images at once in evaluations",
            {1, 65536}),
      field("metrics", &RunOptions::metrics, "what evaluations measure (--list metrics)"),
      field("select_by", &RunOptions::select_by, "the metric that says which epoch is best"),
      field("checkpoint_every", &RunOptions::checkpoint_every,
            "steps between checkpoints, beside the one after every epoch; 0: none", {0, 1e9}),
      field("keep", &RunOptions::keep, "checkpoints of so many epochs are kept", {0, 1e6}),
      field("log_every", &RunOptions::log_every, "steps between lines in metrics.jsonl and logs",
            {1, 1e9}),
      field("tensorboard", &RunOptions::tensorboard,
            "write events.out.tfevents.* for TensorBoard into the run folder"),
      field("freeze_net_epochs", &RunOptions::freeze_net_epochs,
            "first epochs in which only the head (embedding, neck) and the loss learn", {0, 1e6}),
  };
};

/// What a parameter group may say: when it rests, and the options of its optimizer.
std::vector<FieldInfo> group_fields(const Settings& own, const Config& config) {
  std::vector<FieldInfo> fields = describe<GroupOptions>();
  const auto named = own.find("optimizer");
  const std::string optimizer =
      named == own.end() || named->second.empty() ? config.name("optimizer") : named->second;
  for (const FieldInfo& info : Registry<Optimizer>::find(optimizer).fields) fields.push_back(info);
  return fields;
}

ConfigSchema make_schema() {
  ConfigSchema schema;
  schema.fields = describe<RunOptions>();
  for (FieldInfo info : describe<HeadOptions>()) {
    info.name = "head." + info.name;
    schema.fields.push_back(std::move(info));
  }
  const std::string list = "dmltrain --list ";
  schema.components = {component_kind<Dataset>("cub200", list + "datasets"),
                       component_kind<Augment>("standard", list + "augments"),
                       component_kind<Net>("", list + "nets"),
                       component_kind<Loss>("", list + "losses"),
                       component_kind<Sampler>("shuffle", list + "samplers"),
                       component_kind<Optimizer>("adam", list + "optimizers"),
                       component_kind<Schedule>("constant", list + "schedules")};
  schema.tables = {{"groups", group_fields}};
  schema.aliases = {{"embedding_dim", "head.dim"},
                    {"lr", "optimizer.lr"},
                    {"weight_decay", "optimizer.weight_decay"},
                    {"images_per_class", "sampler.images"},
                    {"miner", "loss.miner"},
                    {"net.freeze_batch_norm", "freeze_batch_norm"}};
  return schema;
}

/// The value of --batch-size as a number of classes, where the sampler has one and the user did not
/// give that number as well.
void derive_classes(const Config& config, std::vector<Given>& given) {
  const std::int64_t batch = config.integer("batch_size");
  const Settings sampler = config.all_settings("sampler");
  if (batch == 0 || sampler.count("classes") == 0 || sampler.count("images") == 0) return;
  const Config::Value& classes = config.at("sampler.classes");
  const Config::Value& asked = config.at("batch_size");
  const std::int64_t images = config.integer("sampler.images");
  if (classes.layer == asked.layer && classes.layer != Layer::fallback) return;
  if (batch % images != 0)
    throw UsageError("batch_size: " + asked.text + " is no multiple of images_per_class (" +
                     std::to_string(images) + ")");
  given.push_back({"sampler.classes", std::to_string(batch / images), asked.origin, asked.layer});
}

}  // namespace

const ConfigSchema& training_schema() {
  static const ConfigSchema schema = make_schema();
  return schema;
}

const std::vector<FlagGroup>& training_flags() {
  static const std::vector<FlagGroup> groups = {
      {"What",
       {"net", "loss", "miner", "sampler", "optimizer", "schedule", "weights", "embedding_dim",
        "freeze_batch_norm", "freeze_net_epochs"}},
      {"Data",
       {"dataset", "data_dir", "image_size", "augment", "on_bad_image", "protocol",
        "validation_classes"}},
      {"How",
       {"batch_size", "images_per_class", "epochs", "steps", "lr", "weight_decay", "warmup_epochs",
        "warmup_start", "warmup_by", "clip_grad_norm", "clip_grad_value", "precision", "seed",
        "workers"}},
      {"Output",
       {"eval_every", "eval_before", "eval_batch_size", "metrics", "select_by", "checkpoint_every",
        "keep", "log_every", "tensorboard"}}};
  return groups;
}

FieldInfo flag_info(const std::string& key) {
  if (key == "embedding_dim")
    return {key, "integer", "0", "size of the embedding; 0: the pooled features", {}, ""};
  if (key == "lr") return {key, "number", "", "learning rate (optimizer.lr)", {}, ""};
  if (key == "weight_decay")
    return {key, "number", "", "weight decay (optimizer.weight_decay)", {}, ""};
  if (key == "miner")
    return {key, "text", "", "what a loss of pairs or triplets looks at (loss.miner)", {}, ""};
  if (key == "images_per_class")
    return {key, "integer", "", "images of a class in a batch (sampler.images)", {}, ""};
  for (const ComponentKind& component : training_schema().components)
    if (component.kind == key) return {key, "text", component.fallback, component.hint, {}, ""};
  for (const FieldInfo& info : training_schema().fields)
    if (info.name == key) return info;
  throw Error("no flag '" + key + "'");
}

Config resolve_training(std::vector<Given> given) {
  const Config config = Config::resolve(training_schema(), given);
  derive_classes(config, given);
  return Config::resolve(training_schema(), std::move(given));
}

}  // namespace dml
