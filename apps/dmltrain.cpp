#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "apps/app.hpp"
#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "apps/training/environment.hpp"
#include "apps/training/flags.hpp"
#include "apps/training/presets.hpp"
#include "apps/training/result.hpp"
#include "apps/training/schema.hpp"
#include "apps/training/session.hpp"
#include "dml/training/sinks.hpp"
#include "engine/cuda/convolution_key.hpp"
#include "engine/file.hpp"
#include "engine/interrupted.hpp"

namespace {

using dml::Layer;
namespace fs = std::filesystem;

/// Settings that may change when a run goes on: they decide how long it is and how fast, not what
/// its steps compute.
bool may_change(const std::string& key) {
  for (const char* one : {"epochs", "steps", "workers", "log_every", "keep", "checkpoint_every",
                          "data_dir", "eval_batch_size", "tensorboard"})
    if (key == one) return true;
  return false;
}

class Training {
 public:
  Training(const dml::TrainFlags& flags, const dml::Terminal& terminal)
      : flags_(flags), terminal_(terminal) {}

  int run() {
    for (const std::string& note : flags_.old_names()) terminal_.note(note);
    const dml::Config config = configuration();
    check_metrics(config);
    if (flags_.print_config) {
      terminal_.print(terminal_.json ? json_of(config) : config.to_annotated_toml());
      return dml::exit_done;
    }
    dml::listen_for_interrupts();
    dml::Events events;
    add_terminal_sink(events, config);
    const auto notice = [&](const dml::Event& event) {
      events.emit(event);
      early_.push_back(event);
    };
    dml::SessionOptions options{
        .notice = notice, .allow_synthetic = flags_.dry_run, .keep_going = dml::keep_going};
    if (flags_.resume() && !flags_.dry_run) options.resumed = resumed_metadata(config);
    dml::Device device = open_device();
    set_precision(config, device);
    dml::Session session(config, std::move(device), options);
    if (flags_.dry_run) return dry_run(session);
    return train(session, events);
  }

 private:
  /// Every setting with its value and where that came from.
  static std::string json_of(const dml::Config& config) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const dml::Config::Value& value : config.values())
      json[value.info.name] = {{"value", value.text}, {"origin", value.origin}};
    return dml::json_text(json);
  }

  dml::Device open_device() const {
    dml::Terminal terminal = terminal_;
    if (!flags_.device().empty()) terminal.device = flags_.device();
    return terminal.open_device();
  }

  fs::path folder(const dml::Config* config) const {
    if (!flags_.output.empty()) return flags_.output;
    const char* runs = std::getenv("DML_RUNS_DIR");
    const fs::path base = runs != nullptr && *runs != '\0' ? runs : "runs";
    if (!flags_.name.empty()) return base / flags_.name;
    if (config == nullptr)
      throw dml::UsageError("--resume wants --output DIR or --name NAME: which run shall go on?");
    std::string name =
        config->text("preset").empty()
            ? config->name("loss") + "-" + config->name("dataset") + "-" + config->name("net")
            : config->text("preset");
    std::replace(name.begin(), name.end(), '/', '-');
    std::replace(name.begin(), name.end(), '_', '-');
    return base / (name + "-" + config->text("seed"));
  }

  /// Everything that was given: presets, files, flags.
  dml::Config configuration() {
    std::vector<dml::Given> given = flags_.given();
    if (flags_.resume()) return resumed_configuration(given);
    std::string preset = flags_.preset;
    if (!flags_.config_file.empty()) {
      const auto file = dml::read_toml(flags_.config_file, Layer::file);
      for (const dml::Given& one : file)
        if (one.key == "preset" && preset.empty()) preset = one.text;
      given.insert(given.begin(), file.begin(), file.end());
    }
    if (preset.empty() && flags_.config_file.empty()) preset = fitting_preset(given);
    if (!preset.empty()) {
      preset_ = dml::find_preset(preset);
      given.insert(given.begin(), preset_.values.begin(), preset_.values.end());
    }
    return dml::resolve_training(std::move(given));
  }

  /// The defaults of the loss on the dataset, where a run says little more than these two.
  std::string fitting_preset(const std::vector<dml::Given>& given) const {
    std::string loss, dataset = "cub200";
    for (const dml::Given& one : given) {
      if (one.key == "loss" || one.key == "loss.name") loss = one.text;
      if (one.key == "dataset" || one.key == "dataset.name") dataset = one.text;
    }
    if (loss.empty()) return "";
    try {
      return dml::default_preset(dml::Registry<dml::Loss>::find(loss).about.name,
                                 dml::Registry<dml::Dataset>::find(dataset).about.name)
          .name;
    } catch (const dml::UsageError&) {
      return "";  // an unknown name, which resolving reports with its origin
    }
  }

  /// The configuration of the run in the folder; flags may repeat it, and change what does not
  /// change its steps.
  dml::Config resumed_configuration(const std::vector<dml::Given>& flags) {
    const dml::RunFolder run =
        dml::RunFolder::prepare(folder(nullptr), dml::RunFolder::Existing::resume);
    const auto file = dml::read_toml(run.config(), Layer::file);
    const dml::Config before = dml::resolve_training(file);
    std::vector<dml::Given> given = file;
    given.insert(given.end(), flags.begin(), flags.end());
    const dml::Config now = dml::resolve_training(given);
    for (const dml::Config::Value& value : now.values())
      if (const std::string there =
              before.has(value.info.name) ? before.text(value.info.name) : "not given";
          !may_change(value.info.name) && there != value.text)
        throw dml::UsageError(
            fmt::format("--resume goes on with the run as it began: {} is {} there, {} says {}\n  "
                        "leave it out, "
                        "or begin another run with --output DIR",
                        value.info.name, there, value.origin, value.text));
    if (!now.text("preset").empty()) preset_ = dml::find_preset(now.text("preset"));
    return now;
  }

  void check_metrics(const dml::Config& config) const {
    bool selects = false;
    for (const std::string& name : config.list("metrics")) {
      dml::make_metric(name);
      selects = selects || name == config.text("select_by");
    }
    if (!selects)
      throw dml::UsageError(fmt::format("select_by: '{}' is not among the metrics ({})",
                                        config.text("select_by"), config.text("metrics")));
    if (!dml::make_metric(config.text("select_by"))->larger_is_better())
      throw dml::UsageError("select_by: of '" + config.text("select_by") +
                            "' less is better, and the largest value chooses the epoch");
  }

  /// fp16 is known as a word, so that who writes it hears why not.
  static void set_precision(const dml::Config& config, dml::Device& device) {
    const std::string& wanted = config.text("precision");
    if (wanted == "fp32") return;
    const bool cuda = device.backend() == dml::Backend::cuda;
    if (wanted == "tf32" && cuda) return dml::cuda::allow_tf32(*device.cuda());
    if (wanted == "tf32" && !cuda)
      throw dml::DeviceError(
          fmt::format("--precision tf32 is arithmetic of NVIDIA GPUs, and this run computes on {}\n"
                      "  leave it out: --precision fp32 is exact to 24 bits everywhere",
                      device.name()));
    if (wanted == "fp16")
      throw dml::UsageError(
          "--precision fp16 is not taken: gradients leave its range, and loss scaling would have\n"
          "  to hold them; use --precision bf16 (the range of fp32, the speed of fp16), or fp32");
    if (!device.computes_bf16())
      throw dml::DeviceError(
          "--precision bf16 needs a GPU or a processor with AVX512-BF16, which this one lacks: it "
          "would be slower than fp32\n  leave it out: --precision fp32 is exact to 24 bits");
  }

  dml::CheckpointPair resume_point(const dml::RunFolder& run) const {
    const std::string which = *flags_.resume();
    if (which == "last" || which == "best") return run.checkpoint(which);
    const fs::path file = which;
    return {file.parent_path(), file.stem().string()};
  }

  /// Nothing when the run was killed before its first checkpoint: it begins anew then.
  std::optional<dml::Metadata> resumed_metadata(const dml::Config& config) {
    const dml::CheckpointPair pair = resume_point(dml::RunFolder::open(folder(&config)));
    if (!pair.exists() && *flags_.resume() == "last") return std::nullopt;
    pair.read_state();
    dml::Metadata metadata;
    dml::list_safetensors(pair.weights(), &metadata);
    return metadata;
  }

  void add_terminal_sink(dml::Events& events, const dml::Config& config) const {
    const std::int64_t every = config.integer("log_every");
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (terminal_.quiet) {
      events.add(dml::warnings_only(stderr));
      return;
    }
    switch (dml::progress_of(flags_.progress, terminal)) {
      case dml::Progress::bar: {
        winsize size{};
        const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        events.add(dml::progress_bar(stderr, known ? size.ws_col : 80));
        break;
      }
      case dml::Progress::lines:
        events.add(dml::progress_lines(stderr, every));
        break;
      case dml::Progress::json:
        events.add(dml::json_lines(stderr, every));
        break;
      case dml::Progress::none:
        events.add(dml::warnings_only(stderr));
        break;
    }
  }

  int dry_run(dml::Session& session) const {
    const dml::Session::Tried tried = session.try_step();
    const std::string images =
        tried.images == tried.batch
            ? "random images"
            : fmt::format("{} random images of a batch of {}", tried.images, tried.batch);
    std::string text;
    for (const std::string& line : session.plan()) text += line + "\n";
    text += fmt::format("run folder {}\n", folder(&session.config()).string());
    text += fmt::format("one step on {}: loss {:.4g}\ndry run: nothing was written", images,
                        tried.loss);
    if (terminal_.json) {
      const nlohmann::ordered_json json = {{"dry_run", true},
                                           {"loss", tried.loss},
                                           {"images", tried.images},
                                           {"plan", session.plan()}};
      text = dml::json_text(json);
    }
    terminal_.print(text);
    return dml::exit_done;
  }

  int train(dml::Session& session, dml::Events& events) {
    using Existing = dml::RunFolder::Existing;
    const dml::Config& config = session.config();
    const Existing existing = flags_.resume()    ? Existing::resume
                              : flags_.overwrite ? Existing::overwrite
                                                 : Existing::refuse;
    const dml::RunFolder run = dml::RunFolder::prepare(folder(&config), existing);
    dml::write_file_atomically(run.config(), config.to_toml());
    write_environment(session, run);
    const auto add = [&](std::unique_ptr<dml::Sink> sink) {
      for (const dml::Event& event : early_) sink->on(event, 0);
      events.add(std::move(sink));
    };
    add(dml::metrics_file(run.metrics(), config.integer("log_every")));
    add(dml::epochs_file(run.epochs(), config.list("metrics")));
    add(dml::log_file(run.log(), config.integer("log_every")));
    if (config.flag("tensorboard"))
      events.add(dml::tensorboard_file(run.path(), config.integer("log_every")));
    dml::Trainer trainer(session.parts(events, dml::keep_going), session.trainer_options(), run,
                         session.metadata());
    if (flags_.resume() && resume_point(run).exists()) trainer.resume(resume_point(run));
    std::vector<std::string> lines = session.plan();
    lines.push_back("run folder " + run.path().string());
    if (!preset_.note.empty()) lines.push_back(preset_.note);
    events.emit(dml::RunStarted{lines, trainer.total_epochs(), trainer.total_steps(),
                                trainer.state().epoch, trainer.state().step});
    try {
      if (config.flag("eval_before") && trainer.state().step == 0)
        dml::measure_before(session, run, events, dml::keep_going);
      if (trainer.run(dml::interrupted)) {
        const dml::RunResult result = dml::finish_run(session, run, preset_, dml::keep_going);
        terminal_.print(terminal_.json ? result.json : result.table);
        return dml::exit_done;
      }
    } catch (const dml::Interrupted&) {
      // In an evaluation before or after the steps, or a look at the training set between epochs:
      // the last checkpoint holds all that was done, or nothing was.
    }
    terminal_.note(
        fmt::format("interrupted; the run goes on with --resume --output {}", run.path().string()));
    return dml::exit_interrupted;
  }

  void write_environment(dml::Session& session, const dml::RunFolder& run) const {
    nlohmann::ordered_json json = dml::environment_json(session.device());
    json["seed"] = session.config().integer("seed");
    json["dataset"] = {{"name", session.config().name("dataset")},
                       {"place", session.data().place},
                       {"fingerprint", session.data().fingerprint},
                       {"left_out", session.data().left_out}};
    json["weights"] = session.source();
    dml::write_file_atomically(run.environment(), dml::json_text(json) + "\n");
  }

  const dml::TrainFlags& flags_;
  const dml::Terminal& terminal_;
  dml::Preset preset_;
  std::vector<dml::Event> early_;  ///< told before the run folder was there
};

}  // namespace

int main(int argc, char** argv) {
  dml::TrainFlags flags;
  return dml::run_tool(
      argc, argv,
      {.name = "dmltrain",
       .summary = "trains an embedding of images",
       .examples = {"dmltrain --preset demo/shapes",
                    "dmltrain --net resnet18 --loss group --dataset folder --data-dir photos "
                    "--weights resnet18.safetensors -o runs/mine",
                    "dmltrain --resume -o runs/mine", "dmltrain --help loss=group"},
       .flags = [&](CLI::App& app) { flags.add_to(app); },
       .run =
           [&](const dml::Terminal& terminal) {
             if (!flags.list.empty()) {
               terminal.print(dml::component_list(flags.list, terminal.json));
               return static_cast<int>(dml::exit_done);
             }
             return Training(flags, terminal).run();
           },
       .help = dml::topic_help,
       .words = dml::training_words,
       .manual = dml::training_manual});
}
