#include "apps/training/session.hpp"

#include <fmt/format.h>

#include "apps/app.hpp"
#include "apps/training/model_file.hpp"
#include "apps/training/needs.hpp"
#include "apps/training/presets.hpp"
#include "data/super_classes.hpp"
#include "dml/schedules/sequence.hpp"
#include "dml/training/distances.hpp"
#include "dml/training/measure.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

std::int64_t classes_of(const std::vector<Item>& items) {
  std::int64_t classes = 0;
  for (const Item& item : items) classes = std::max(classes, item.label + 1);
  return classes;
}

/// Labels of the published sizes, spread evenly, in folders of several classes each.
std::vector<Item> items_of(std::int64_t images, std::int64_t classes, std::int64_t first,
                           Split split) {
  std::vector<Item> items(static_cast<std::size_t>(images));
  constexpr std::int64_t folders = 12;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::int64_t label = static_cast<std::int64_t>(i) * classes / images;
    items[i] = {.file = fs::path("synthetic") / std::to_string(label * folders / classes) / "image",
                .label = first + label,
                .split = split};
  }
  return items;
}

/// Images of a try on a processor, at most.
constexpr std::int64_t few = 24;

BatchNormMode batch_norm_of(const std::string& freeze) {
  if (freeze == "true") return BatchNormMode::frozen;
  return freeze == "statistics" ? BatchNormMode::frozen_statistics : BatchNormMode::live;
}

}  // namespace

Session::Session(const Config& config, Device device, SessionOptions options)
    : config_(config),
      device_(std::move(device)),
      options_(std::move(options)),
      store_(device_, DType::f32, static_cast<std::uint64_t>(config.integer("seed"))) {
  read_data();
  build();
}

void Session::read_data() {
  const std::string& name = config_.name("dataset");
  const Settings settings = config_.settings("dataset");
  const fs::path root = data_folder(config_.text("data_dir"));
  const auto tell = [&](const std::string& text) { options_.notice(Notice{text}); };
  Manifest manifest;
  try {
    manifest = read_dataset(name, settings, root, tell, !options_.allow_synthetic);
  } catch (const DataError&) {
    if (!options_.allow_synthetic) throw;
    make_up_labels();
  }
  const bool honest = config_.text("protocol") == "honest";
  if (!data_.synthetic) {
    data_.fingerprint = fingerprint(manifest);
    if (config_.text("on_bad_image") == "skip")
      data_.left_out = leave_out_bad_images(
          manifest, device_.threads(),
          [&](const std::string& text) { options_.notice(Warning{text}); }, options_.keep_going);
    if (honest) manifest = with_validation(manifest, config_.number("validation_classes"));
    data_.train = manifest.of(Split::train);
    data_.test = manifest.of(Split::test);
    data_.place = manifest.root.string() + " (" + manifest.layout + ")";
    const auto expected = Registry<Dataset>::make(name, settings, {.root = root})->expected();
    data_.published = expected && manifest.counts(Split::test).classes == expected->test_classes;
  }
  data_.evaluation_split = honest ? Split::validation : Split::test;
  data_.evaluation = honest ? manifest.of(Split::validation) : data_.test;
  data_.classes = classes_of(data_.train);
  if (data_.train.empty())
    throw DataError(name + ": no training images in " + manifest.root.string());
  if (config_.integer("eval_every") > 0 || config_.flag("eval_before"))
    require_queries(data_.evaluation, name, name_of(data_.evaluation_split));
}

/// For a dry run without data: labels of the published sizes, or of the classes that are
/// configured.
void Session::make_up_labels() {
  const std::string& name = config_.name("dataset");
  const auto known =
      Registry<Dataset>::make(name, config_.settings("dataset"), {.root = "."})->expected();
  const Settings settings = config_.all_settings("dataset");
  const auto configured = settings.find("train_classes");
  const std::int64_t classes = configured == settings.end() ? 0 : std::stoll(configured->second);
  const std::int64_t several = std::max<std::int64_t>(classes, 10);
  const Expected sizes = known ? *known : Expected{several * 30, several, several * 30, several};
  data_.train = items_of(sizes.train_images, sizes.train_classes, 0, Split::train);
  data_.test = items_of(sizes.test_images, sizes.test_classes, sizes.train_classes, Split::test);
  data_.synthetic = true;
  data_.place = "not there; made-up labels stand for it";
}

std::int64_t Session::epochs_hint() const {
  return config_.integer("steps") > 0 ? 0 : config_.integer("epochs");
}

void Session::build() {
  const auto head = read<HeadOptions>([&] {
    Settings settings;
    for (const Config::Value& value : config_.values())
      if (value.info.name.rfind("head.", 0) == 0) settings[value.info.name.substr(5)] = value.text;
    return settings;
  }());
  const Scope root(store_);
  model_ = std::make_unique<Model>(
      Model::make(config_.name("net"), config_.settings("net"), head, root));
  if (config_.text("precision") == "bf16") model_->train_in(DType::bf16);
  Net& base = model_->net();
  base.check_input(config_.integer("image_size"), config_.integer("image_size"));
  base.set_batch_norm(batch_norm_of(config_.text("freeze_batch_norm")));
  preprocessing_ = base.preprocessing();
  loss_ = Registry<Loss>::make(config_.name("loss"), config_.settings("loss"),
                               {.scope = root / "loss",
                                .dim = model_->dim(),
                                .features = model_->width(),
                                .classes = data_.classes,
                                .epochs = epochs_hint(),
                                .images = static_cast<std::int64_t>(data_.train.size()),
                                .classifier = base.classifier_init(model_->dim()),
                                .products = model_->training_type()});
  std::vector<std::int64_t> labels;
  for (const Item& item : data_.train) labels.push_back(item.label);
  const bool own_size = config_.all_settings("sampler").count("classes") > 0;
  sampler_ = Registry<Sampler>::make(config_.name("sampler"), config_.settings("sampler"),
                                     {.labels = labels,
                                      .batch_size = own_size ? 0 : config_.integer("batch_size"),
                                      .seed = static_cast<std::uint64_t>(config_.integer("seed")),
                                      .groups = super_classes(data_.train)});
  require_batches();
  load_weights_file();
  build_optimizer();
  augment_ = Registry<Augment>::make(config_.name("augment"), config_.settings("augment"),
                                     {.size = config_.integer("image_size")});
  preprocessing_ = augment_->preprocessing(preprocessing_);
  for (const std::string& text : doubts(config_, std::ssize(sampler_->plan(0))))
    options_.notice(Warning{text});
}

/// Parameter groups, the optimizers that move them, and how their rates move.
void Session::build_optimizer() {
  std::vector<GroupSetup> groups;
  for (auto [name, settings] : config_.tables("groups")) {
    GroupSetup& group = groups.emplace_back();
    group.name = name;
    Settings own;
    for (const FieldInfo& info : describe<GroupOptions>())
      if (auto node = settings.extract(info.name); !node.empty()) own.insert(std::move(node));
    group.options = read<GroupOptions>(own);
    group.settings = std::move(settings);
  }
  groups_ = std::make_unique<ParameterGroups>(store_, groups);
  groups_->rest_at_first(config_.integer("freeze_net_epochs"), [](const Parameter& parameter) {
    for (const char* learning : {"loss.", "embedding.", "red.", "bottleneck."})
      if (parameter.name.rfind(learning, 0) == 0) return false;
    return true;
  });
  optimizer_ =
      make_optimizer(config_.name("optimizer"), config_.settings("optimizer"), store_, groups);
  schedule_ = make_schedule(config_.name("schedule"), config_.settings("schedule"),
                            {.epochs = epochs_hint(), .steps = config_.integer("steps")},
                            {.epochs = config_.integer("warmup_epochs"),
                             .start = config_.number("warmup_start"),
                             .by_step = config_.text("warmup_by") == "step"});
}

/// Whether the batches can serve the loss, in the words of the flags.
void Session::require_batches() const {
  const std::string& loss = config_.name("loss");
  const std::int64_t needed = loss_->requirements().images_per_class;
  const std::int64_t promised = sampler_->guarantee().images_per_class;
  const bool by_classes = config_.all_settings("sampler").count("images") > 0;
  if (promised < needed && by_classes) {
    std::string hint;
    const Preset preset = default_preset(loss, "cub200");
    for (const Given& one : preset.values)
      if (one.key == "sampler.images")
        hint = fmt::format("\n  --preset {} takes {}", preset.name, one.text);
    throw UsageError(fmt::format(
        "loss '{}' needs at least {} images per class in a batch; --images-per-class is {}{}", loss,
        needed, promised, hint));
  }
  require(loss_->requirements(), loss, sampler_->guarantee(), config_.name("sampler"));
  require_images(data_.train, loss_->requirements(), loss, sampler_->guarantee(),
                 [&](const std::string& text) { options_.notice(Notice{text}); });
}

void Session::load_weights_file() {
  if (options_.resumed) {
    take_over(*options_.resumed);
    return;
  }
  const std::string& file = config_.text("weights");
  if (file.empty() || canonical(file) == "none") {
    options_.notice(
        Warning{"no --weights: the net starts from random numbers, and published figures need "
                "pretrained ones"});
    return;
  }
  const std::string& net = config_.name("net");
  const SafeTensors contents = read_safetensors(file);
  const WeightReport report =
      start_from(contents, store_, file, net, model_->net().classifier_name());
  preprocessing_ = preprocessing_of(contents.metadata, model_->net());
  source_ = "sha256 " + sha256_of_file(file);
  if (!report.misfits.empty())
    options_.notice(
        Notice{fmt::format("{}: {} tensors do not fit net '{}'{}     -> kept out (classifier)",
                           file, report.misfits.size(), net, report.misfit_lines(4))});
  std::vector<std::string> missing = report.missing;
  std::erase_if(missing, [](const std::string& name) { return name.rfind("loss.", 0) == 0; });
  if (!missing.empty())
    options_.notice(
        Warning{fmt::format("{} lacks {} tensors of net '{}', which start from random numbers: {}",
                            file, missing.size(), net, WeightReport::name_list(missing, 4))});
  if (!report.extra.empty())
    options_.notice(
        Notice{fmt::format("{} holds {} tensors that the net has not: {}", file,
                           report.extra.size(), WeightReport::name_list(report.extra, 4))});
}

/// A run that goes on has its weights in the checkpoint; the rest of what the file of its beginning
/// said is there as well.
void Session::take_over(const Metadata& metadata) {
  preprocessing_ = preprocessing_of(metadata, model_->net());
  const auto source = metadata.find("source");
  if (source != metadata.end()) source_ = source->second;
  const auto print = metadata.find("fingerprint");
  if (print != metadata.end() && print->second != data_.fingerprint)
    throw DataError("the images of dataset '" + config_.name("dataset") +
                    "' are not those that the run began with\n  " + data_.place);
}

std::vector<std::string> Session::plan() const {
  const auto options_of = [&](const std::string& kind) {
    std::string text = config_.name(kind);
    for (const auto& [name, value] : config_.all_settings(kind)) text += " " + name + "=" + value;
    return text;
  };
  const auto steps = static_cast<std::int64_t>(sampler_->plan(0).size());
  return {
      fmt::format("{} ({:.1f} M parameters, weights {}) on {}, {} threads, f32",
                  config_.name("net"), static_cast<double>(store_.parameter_count()) / 1e6,
                  config_.text("weights"), device_.name(), device_.threads()),
      fmt::format("{}; {}", options_of("loss"), options_of("optimizer")),
      fmt::format("{}: {} training images of {} classes, {} images to measure on; {}",
                  config_.name("dataset"), data_.train.size(), data_.classes,
                  data_.evaluation.size(), data_.place),
      fmt::format("{}; batches of {}: {} steps an epoch; {}; {} px; seed {}", options_of("sampler"),
                  sampler_->batch_size(), steps, options_of("schedule"), config_.text("image_size"),
                  config_.text("seed")),
  };
}

Metadata Session::metadata() const {
  Settings head;
  for (const Config::Value& value : config_.values())
    if (value.info.name.rfind("head.", 0) == 0) head[value.info.name.substr(5)] = value.text;
  return {{"dml.format", "checkpoint 1"},
          {"program", fmt::format("dml {}", version())},
          {"net", config_.name("net")},
          {"net.options", settings_to_json(config_.all_settings("net"))},
          {"head.options", settings_to_json(head)},
          {"embedding_dim", std::to_string(model_->dim())},
          {"image_size", config_.text("image_size")},
          {"augment", config_.name("augment")},
          {"augment.options", settings_to_json(config_.all_settings("augment"))},
          {"preprocessing", to_json(preprocessing_)},
          {"loss", config_.name("loss")},
          {"loss.options", settings_to_json(config_.all_settings("loss"))},
          {"classes", std::to_string(data_.classes)},
          {"dataset", config_.name("dataset")},
          {"fingerprint", data_.fingerprint},
          {"source", source_}};
}

Session::Tried Session::try_step() {
  auto plan = sampler_->plan(0);
  if (plan.empty()) throw UsageError("the sampler finds no batch in the training set");
  Tried tried{.batch = std::ssize(plan[0])};
  // Published batches on a processor would take minutes and most of its memory.
  if (device_.backend() != Backend::cuda && tried.batch > few)
    plan[0].resize(static_cast<std::size_t>(few));
  tried.images = std::ssize(plan[0]);
  const std::int64_t size = config_.integer("image_size");
  const auto count = static_cast<std::int64_t>(plan[0].size());
  Tensor images = Tensor::empty({count, size, size, 3}, DType::f32);
  const Random random(1, Purpose::render);
  std::uint64_t i = 0;
  for (float& value : images.data<float>()) value = random.uniform_float(i++) - 0.5F;
  std::vector<std::int64_t> labels;
  for (const std::int64_t image : plan[0])
    labels.push_back(data_.train[static_cast<std::size_t>(image)].label);
  store_.clear_gradients();
  const auto tape = Tape::train(device_);
  const Labels of(labels, data_.classes);
  const Outputs outputs = (*model_)(tape->input(images));
  const Var loss = (*loss_)({.embedding = outputs.embedding,
                             .features = outputs.features,
                             .neck = outputs.neck,
                             .labels = of,
                             .samples = plan[0]});
  tape->backward(loss);
  store_.clear_gradients();
  tried.loss = loss.value().item();
  return tried;
}

Loader Session::make_loader(std::vector<Item> items, const Pipeline& pipeline) const {
  return {std::move(items),
          pipeline,
          preprocessing_,
          {.workers = config_.integer("workers"),
           .seed = static_cast<std::uint64_t>(config_.integer("seed"))}};
}

Embedder Session::embedder() {
  return [this](const Var& images) { return loss_->embed((*model_)(images).embedding); };
}

Measured Session::measure(const std::vector<Item>& items, const std::function<bool()>& keep_going,
                          std::int64_t neighbours) {
  Loader loader = make_loader(items, augment_->test());
  const WeightHold hold = model_->net().hold_weights();
  const Tensor embeddings =
      embed_images(device_, embedder(), loader, config_.integer("eval_batch_size"), keep_going);
  RetrievalSet set = retrieval_set(embeddings, items);
  set.embeddings = loss_->embed_set(device_, embeddings, set.queries, set.gallery);
  Measurement result =
      dml::measure(device_, set, config_.text("metrics"), {.neighbours = neighbours});
  return {std::move(set), std::move(result)};
}

TrainerParts Session::parts(Events& events, const std::function<bool()>& keep_going) {
  train_loader_ = std::make_unique<Loader>(
      data_.train, augment_->train(), preprocessing_,
      Loader::Options{.workers = config_.integer("workers"),
                      .seed = static_cast<std::uint64_t>(config_.integer("seed"))});
  TrainerParts parts{.device = device_,
                     .store = store_,
                     .model = *model_,
                     .loss = *loss_,
                     .sampler = *sampler_,
                     .optimizer = *optimizer_,
                     .schedule = *schedule_,
                     .loader = *train_loader_,
                     .events = events,
                     .groups = groups_.get()};
  if (!data_.evaluation.empty())
    parts.evaluate = [this, keep_going]() -> Evaluated {
      const Measured found = measure(data_.evaluation, keep_going);
      return {found.result.figures, distance_histograms(device_, found.set)};
    };
  parts.embed_training_set = [this, keep_going] {
    Loader loader = make_loader(data_.train, augment_->test());
    const WeightHold hold = model_->net().hold_weights();
    return embed_images(device_, embedder(), loader, config_.integer("eval_batch_size"),
                        keep_going);
  };
  parts.features_of_training_set = [this, keep_going] {
    Loader loader = make_loader(data_.train, augment_->test());
    const Embedder features = [this](const Var& images) { return (*model_)(images).features; };
    return embed_images(device_, features, loader, config_.integer("eval_batch_size"), keep_going);
  };
  return parts;
}

TrainerOptions Session::trainer_options() const {
  return {.epochs = config_.integer("epochs"),
          .steps = config_.integer("steps"),
          .classes = data_.classes,
          .eval_every = config_.integer("eval_every"),
          .checkpoint_every = config_.integer("checkpoint_every"),
          .keep = config_.integer("keep"),
          .select_by = config_.text("select_by"),
          .split = name_of(data_.evaluation_split),
          .seed = static_cast<std::uint64_t>(config_.integer("seed")),
          .clip_grad_norm = config_.number("clip_grad_norm"),
          .look_every = config_.integer("log_every"),
          .clip_grad_value = config_.number("clip_grad_value")};
}

}  // namespace dml
