#include <numeric>
#include <regex>

#include "ops/arithmetic.hpp"
#include "tests/golden/losses.hpp"

namespace dml::golden {
namespace {

/// "multi_similarity(epsilon=0.1)" as a nested component.
void add_component(Settings& settings, const std::string& key, const std::string& text) {
  settings[key] = text.substr(0, text.find('('));
  static const std::regex argument("(\\w+)=([^,)]+)");
  for (std::sregex_iterator it(text.begin(), text.end(), argument), end; it != end; ++it)
    settings[key + "." + (*it)[1].str()] = (*it)[2].str();
}

/// The options of the inner loss that the metadata states as inner.hp.*.
void add_inner(Settings& settings, const Case& given) {
  const std::string suffix = "_mined";
  std::string inner = given.text("inner");
  if (inner.ends_with(suffix)) inner.resize(inner.size() - suffix.size());
  settings["inner"] = inner;
  for (const auto& [key, value] : given.contents().metadata)
    if (key.starts_with("inner.hp.")) settings["inner." + key.substr(9)] = value;
}

Tensor one(const Tensor& number) { return number.to_host().reshape({1}); }

void memory_over_steps(Run& run) {
  const Case& given = run.given();
  Settings settings{{"memory_size", given.text("memory_size")}};
  add_inner(settings, given);
  if (given.text("miner") != "none") add_component(settings, "miner", given.text("miner"));
  LossRun loss(run, "cross_batch_memory", settings, given.at("in.embeddings.0").dim(1), 0);
  Var total;
  for (std::int64_t t = 0; t < given.integer("steps"); ++t) {
    const std::string step = "." + std::to_string(t);
    const Labels labels(integers_of(given, "in.labels" + step));
    const Var x = loss.input("embeddings" + step);
    const Var y = loss.loss()({.embedding = x, .features = x, .labels = labels, .step = t});
    run.give("out.loss" + step, one(y.value()));
    run.give("out.pointer" + step, one(loss.store().find("loss.memory_pointer")->value));
    run.give("out.filled" + step, one(loss.store().find("loss.memory_filled")->value));
    total = total.defined() ? total + y : y;
  }
  run.give("out.memory", loss.store().find("loss.memory")->value.to_host().clone());
  run.give("out.memory_labels", loss.store().find("loss.memory_labels")->value);
  loss.finish(total);
}

void two_views(Run& run) {
  const Case& given = run.given();
  Settings settings{{"symmetric", given.text("symmetric")}};
  add_inner(settings, given);
  LossRun loss(run, "self_supervised", settings, given.at("in.embeddings").dim(1), 0);
  const Var x = loss.input("embeddings"), other = loss.input("ref_embeddings");
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.dim(0)));
  std::iota(rows.begin(), rows.end(), 0);
  const Labels labels(rows);
  loss.finish(loss.loss()({.embedding = x,
                           .features = x,
                           .labels = labels,
                           .reference = other,
                           .reference_labels = &labels}));
}

/// "1*a(x=2) + 0.5*b", and "a(x=2) on the pairs of the b miner" with that miner's miner.*.
void sum_of_terms(Run& run) {
  const Case& given = run.given();
  static const std::regex term(
      R"((?:([\d.]+)\*)?(\w+(?:\([^)]*\))?)(?: on the pairs of the (\w+) miner)?)");
  const std::string text = given.text("terms");
  Settings settings;
  int count = 0;
  std::sregex_iterator it(text.begin(), text.end(), term);
  for (const std::sregex_iterator end; it != end; ++it) {
    const std::string number = std::to_string(++count), key = "term" + number;
    add_component(settings, key, (*it)[2].str());
    if ((*it)[1].matched) settings["weight" + number] = (*it)[1].str();
    if (!(*it)[3].matched) continue;
    settings[key + ".miner"] = (*it)[3].str();
    for (const auto& [name, value] : given.contents().metadata)
      if (name.starts_with("miner.")) settings[key + "." + name] = value;
  }
  LossRun loss(run, "sum", settings, given.at("in.embeddings").dim(1), 0);
  const Labels labels(integers_of(given, "in.labels"));
  const Var x = loss.input("embeddings");
  loss.finish(loss.loss()({.embedding = x, .features = x, .labels = labels}));
}

const AddGolden memory{"losses", "cross_batch_memory", memory_over_steps};
const AddGolden views{"losses", "self_supervised", two_views};
const AddGolden sum{"losses", "sum", sum_of_terms};

}  // namespace
}  // namespace dml::golden
