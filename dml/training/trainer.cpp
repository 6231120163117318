#include "dml/training/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "dml/clip.hpp"
#include "dml/training/embed.hpp"
#include "dml/training/numbers.hpp"
#include "engine/safetensors.hpp"

namespace dml {
namespace {

/// In front of the sampler's tensors in a checkpoint, which stand beside the optimizer's.
const std::string sampler_prefix = "sampler.";

/// What a loss or sampler sees of the training set before an epoch.
class View final : public EpochView {
 public:
  View(std::int64_t epoch, const TrainerParts& parts) : epoch_(epoch), parts_(parts) {
    for (const Item& item : parts.loader.items()) labels_.push_back(item.label);
  }
  std::int64_t epoch() const override { return epoch_; }
  const Tensor& embeddings() override {
    if (!embeddings_.defined()) embeddings_ = parts_.embed_training_set();
    return embeddings_;
  }
  std::span<const std::int64_t> labels() const override { return labels_; }
  const Tensor& features() override {
    if (!features_.defined()) features_ = parts_.features_of_training_set();
    return features_;
  }
  Device& device() override { return parts_.device; }

 private:
  std::int64_t epoch_;
  const TrainerParts& parts_;
  std::vector<std::int64_t> labels_;
  Tensor embeddings_, features_;
};

std::string json_of(const Figures& figures) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : figures) json[name] = value;
  return json.dump();
}

}  // namespace

Trainer::Trainer(TrainerParts parts, TrainerOptions options, RunFolder folder, Metadata metadata)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      folder_(std::move(folder)),
      metadata_(std::move(metadata)),
      steps_per_epoch_(static_cast<std::int64_t>(parts_.sampler.plan(0).size())),
      watch_(parts_.loss.requirements().pairs) {
  if (steps_per_epoch_ == 0)
    throw UsageError(
        "the sampler finds no batch in the training set: fewer images than one batch "
        "holds\n  a smaller --batch-size, or fewer --images-per-class");
}

std::int64_t Trainer::total_steps() const {
  return options_.steps > 0 ? options_.steps : options_.epochs * steps_per_epoch_;
}

std::int64_t Trainer::total_epochs() const {
  if (options_.steps == 0) return options_.epochs;
  return (total_steps() + steps_per_epoch_ - 1) / steps_per_epoch_;
}

bool Trainer::finished() const {
  if (options_.steps > 0) return state_.step >= options_.steps;
  const bool whole = state_.step_in_epoch > 0 && state_.step_in_epoch == steps_per_epoch_;
  return state_.epoch + (whole ? 1 : 0) >= options_.epochs;
}

void Trainer::resume(const CheckpointPair& checkpoint) {
  state_ = checkpoint.read_state();
  const SafeTensors file = read_safetensors(checkpoint.weights());
  load_all_weights(file, parts_.store, checkpoint.weights().string());
  std::map<std::string, Tensor> optimizer, sampler;
  for (const auto& [key, tensor] : state_.tensors) {
    const bool own = key.rfind(sampler_prefix, 0) == 0;
    (own ? sampler : optimizer)[own ? key.substr(sampler_prefix.size()) : key] = tensor;
  }
  parts_.optimizer.restore(optimizer);
  parts_.sampler.restore(sampler);
  steps_per_epoch_ = static_cast<std::int64_t>(parts_.sampler.plan(state_.epoch).size());
  std::map<std::string, double> schedule;
  const std::string prefix = "schedule.";
  for (const auto& [key, text] : state_.texts)
    if (key.rfind(prefix, 0) == 0) schedule[key.substr(prefix.size())] = std::stod(text);
  parts_.schedule.restore(schedule);
}

bool Trainer::run(const std::function<bool()>& stop) {
  bool stopped = false;
  // Interrupted in the very last evaluation: the steps are done, the evaluation is not.
  if (finished() && state_.step_in_epoch > 0) stopped = !after_epoch();
  while (!finished() && !stopped) {
    before_epoch();
    stopped = !run_epoch(stop);
    if (stopped) {
      write_checkpoint("last", {});
    } else {
      stopped = !after_epoch() || (!finished() && stop());
    }
  }
  parts_.events.emit(RunEnded{state_.epoch, state_.step, stopped});
  return !stopped;
}

void Trainer::before_epoch() {
  if (state_.step_in_epoch > 0) return;  // was done before the checkpoint was written
  const Schedule::Actions actions = parts_.schedule.before_epoch(state_.epoch);
  if (actions.reload_best && state_.best_epoch > 0) {
    const auto best = folder_.checkpoint("best").weights();
    load_all_weights(read_safetensors(best), parts_.store, best.string());
    parts_.events.emit(Notice{fmt::format("epoch {}: the weights of epoch {} are loaded again",
                                          state_.epoch + 1, state_.best_epoch)});
  }
  View view(state_.epoch, parts_);
  parts_.loss.before_epoch(view);
  parts_.sampler.before_epoch(view);
}

bool Trainer::run_epoch(const std::function<bool()>& stop) {
  // What was seen of the whole training set cannot be seen again in mid-epoch.
  const bool may_stop_anywhere =
      !parts_.loss.requirements().training_set && !parts_.sampler.embeddings_needed();
  if (parts_.groups != nullptr) parts_.groups->begin_epoch(state_.epoch);
  auto plan = parts_.sampler.plan(state_.epoch);
  if (plan.empty())
    throw UsageError(fmt::format("the sampler finds no batch for epoch {}", state_.epoch + 1));
  steps_per_epoch_ = std::ssize(plan);
  if (state_.step == 0) tell_share(share_shown(plan, std::ssize(parts_.loader.items())));
  parts_.loader.start(std::move(plan), state_.epoch, state_.step_in_epoch);
  while (!finished()) {
    const std::optional<Batch> batch = parts_.loader.next();
    if (!batch) return true;
    const StepDone done = step(*batch);
    parts_.events.emit(done);
    const bool epoch_ends = state_.step_in_epoch == steps_per_epoch_;
    if (epoch_ends || finished()) return true;
    if (stop() && may_stop_anywhere) return false;
    if (options_.checkpoint_every > 0 && may_stop_anywhere &&
        state_.step % options_.checkpoint_every == 0)
      write_checkpoint("last", {});
  }
  return true;
}

void Trainer::tell_share(double share) {
  if (share < 1)
    parts_.events.emit(Notice{fmt::format(
        "the first epoch shows {:.1f} % of the training images, {:.1f} % are not visited; an epoch "
        "is {}",
        100 * share, 100 * (1 - share), parts_.sampler.epoch_meaning())});
}

StepDone Trainer::step(const Batch& batch) {
  const Moment moment{state_.epoch, state_.step_in_epoch, steps_per_epoch_};
  const Pace pace{[&](double base) { return parts_.schedule.rate(moment, base); },
                  parts_.schedule.momentum(moment)};
  const auto number = static_cast<std::uint64_t>(state_.step);
  parts_.store.clear_gradients();
  const auto tape = Tape::train(parts_.device, {options_.seed, Purpose::dropout, number});
  const Labels labels(batch.labels, options_.classes);
  const Outputs outputs = parts_.model(tape->input(batch.images));
  const Tensor embedding = outputs.embedding.value();
  const Var loss = parts_.loss({.embedding = outputs.embedding,
                                .features = outputs.features,
                                .neck = outputs.neck,
                                .labels = labels,
                                .samples = batch.indices,
                                .epoch = state_.epoch,
                                .step = state_.step,
                                .random = {options_.seed, Purpose::mine, number}});
  tape->backward(loss);

  StepDone done;
  done.loss = loss.value().item();
  done.grad_norm = gradient_norm(parts_.device, parts_.store);
  if (!std::isfinite(done.loss) || !std::isfinite(done.grad_norm))
    refuse_numbers(batch, embedding, done.loss);
  last_norm_ = done.grad_norm;
  const bool looked_at = looks();
  if (looked_at) done.parts = gradient_norms(parts_.device, parts_.store);
  if (options_.clip_grad_norm > 0)
    clip_gradient_norm(parts_.device, parts_.store, options_.clip_grad_norm);
  if (options_.clip_grad_value > 0)
    clip_gradient_value(parts_.device, parts_.store, options_.clip_grad_value);
  parts_.optimizer.step(parts_.device, pace);
  if (parts_.sampler.embeddings_needed())
    parts_.sampler.after_step(batch.indices, parts_.device.dense(embedding).to_host());

  ++state_.step;
  ++state_.step_in_epoch;
  state_.loss_sum += done.loss;
  state_.images += static_cast<std::int64_t>(batch.labels.size());
  done.step = state_.step;
  done.epoch = state_.epoch + 1;
  done.step_in_epoch = state_.step_in_epoch;
  done.steps_in_epoch = steps_per_epoch_;
  done.learning_rate = pace.rate(parts_.optimizer.lr());
  done.images = static_cast<std::int64_t>(batch.labels.size());
  for (const auto& [name, value] : parts_.loss.diagnostics())
    done.parts.emplace_back(name, value.item());
  if (looked_at) look(batch, embedding, done);
  return done;
}

bool Trainer::looks() const {
  return options_.look_every > 0 && (state_.step + 1) % options_.look_every == 0;
}

void Trainer::look(const Batch& batch, const Tensor& embedding, StepDone& done) {
  const VitalSigns signs = vital_signs(parts_.device.dense(embedding).to_host(), batch.labels);
  for (const Figures& figures : {active_shares(parts_.loss.items()), signs.figures()})
    done.parts.insert(done.parts.end(), figures.begin(), figures.end());
  if (const auto norm = mean_proxy_norm(parts_.store)) done.parts.emplace_back("proxy_norm", *norm);
  const std::string warning = watch_.look(signs, done.loss, done.step);
  if (!warning.empty()) parts_.events.emit(Warning{warning});
}

bool Trainer::after_epoch() {
  const bool whole = state_.step_in_epoch == steps_per_epoch_;
  const std::int64_t epoch = state_.epoch + 1;
  const Moment last{state_.epoch, state_.step_in_epoch - 1, steps_per_epoch_};
  EpochDone done;
  done.epoch = epoch;
  done.epochs = total_epochs();
  done.step = state_.step;
  done.loss = state_.loss_sum / static_cast<double>(state_.step_in_epoch);
  done.learning_rate = parts_.schedule.rate(last, parts_.optimizer.lr());
  done.images = state_.images;
  done.best_metric = options_.select_by;
  const bool due = options_.eval_every > 0 && (epoch % options_.eval_every == 0 || finished());
  if (due && parts_.evaluate) {
    try {
      Evaluated found = parts_.evaluate();
      done.metrics = std::move(found.figures);
      done.histograms = std::move(found.histograms);
    } catch (const Interrupted&) {
      // All steps of the epoch are in this checkpoint; going on begins with the evaluation.
      write_checkpoint("last", {});
      return false;
    }
    done.split = options_.split;
  }
  if (whole) {
    state_.epoch = epoch;
    state_.step_in_epoch = 0;
    state_.loss_sum = 0;
    state_.images = 0;
  }
  if (whole) observe(done);
  if (!done.metrics.empty()) note_figures(done.metrics, epoch);
  done.best = state_.best;
  done.best_epoch = state_.best_epoch;
  // Rows are told before the checkpoint: a run that is killed in between tells them once only,
  // because the sinks know what they have told.
  parts_.events.emit(done);
  write_checkpoint("last", done.metrics);
  if (whole) keep_checkpoint();
  return true;
}

void Trainer::observe(const EpochDone& done) {
  Schedule::Seen seen{.epoch = done.epoch - 1, .loss = done.loss};
  const double value = figure(done.metrics, options_.select_by, std::nan(""));
  if (!done.metrics.empty()) seen.metric = value;
  parts_.schedule.observe(seen);
}

void Trainer::note_figures(const Figures& metrics, std::int64_t epoch) {
  const double value = figure(metrics, options_.select_by, std::nan(""));
  if (state_.best_epoch > 0 && !(value > state_.best)) return;
  state_.best = value;
  state_.best_epoch = epoch;
  write_checkpoint("best", metrics);
}

void Trainer::write_checkpoint(const std::string& name, const Figures& figures) {
  Metadata metadata = metadata_;
  metadata["epoch"] = std::to_string(state_.epoch);
  metadata["step"] = std::to_string(state_.step);
  metadata["metrics"] = json_of(figures);
  TrainingState state = state_;
  state.texts.clear();
  for (const auto& [key, value] : parts_.schedule.state())
    state.texts["schedule." + key] = schema::text_of(value);
  state.tensors.clear();
  for (const auto& [key, tensor] : parts_.optimizer.state())
    state.tensors.emplace_back(key, tensor.to_host().dense());
  for (const auto& [key, tensor] : parts_.sampler.state())
    state.tensors.emplace_back(sampler_prefix + key, tensor.to_host().dense());
  const CheckpointPair pair = folder_.checkpoint(name);
  pair.write(weights_of(parts_.store, std::move(metadata)), state);
  parts_.events.emit(CheckpointWritten{pair.weights(), state_.epoch, state_.step});
}

/// Files are replaced by renaming, never rewritten, so a second name of one costs no space.
void Trainer::keep_checkpoint() {
  if (options_.keep < 1) return;
  namespace fs = std::filesystem;
  const auto name_of_epoch = [](std::int64_t epoch) { return fmt::format("epoch-{:04}", epoch); };
  const CheckpointPair last = folder_.checkpoint("last");
  const CheckpointPair kept = folder_.checkpoint(name_of_epoch(state_.epoch));
  const CheckpointPair old = folder_.checkpoint(name_of_epoch(state_.epoch - options_.keep));
  for (const auto& [from, to] :
       {std::pair{last.weights(), kept.weights()}, {last.state(), kept.state()}}) {
    fs::remove(to);
    fs::create_hard_link(from, to);
  }
  fs::remove(old.weights());
  fs::remove(old.state());
}

}  // namespace dml
