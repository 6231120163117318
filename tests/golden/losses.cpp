#include "tests/golden/losses.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <sstream>

#include "dml/losses/manifold.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

/// [r, c] -> [c, r] on the host.
Tensor transposed(const Tensor& x) {
  const std::int64_t rows = x.dim(0), columns = x.dim(1);
  Tensor y = Tensor::empty({columns, rows}, x.dtype());
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t k = 0; k < columns; ++k)
        y.raw<T>()[k * rows + i] = x.raw<T>()[i * columns + k];
  });
  return y;
}

/// "sparse_centers(num_classes=5,centers_per_class=3)" as a nested component. How many classes and
/// centers there are, the loss knows.
void add_component(Settings& settings, const std::string& key, const std::string& text) {
  const std::size_t bracket = text.find('(');
  settings[key] = text.substr(0, bracket);
  if (bracket == std::string::npos) return;
  std::istringstream arguments(text.substr(bracket + 1, text.find(')') - bracket - 1));
  for (std::string one; std::getline(arguments, one, ',');) {
    const std::string name = one.substr(0, one.find('='));
    if (name != "num_classes" && name != "centers_per_class")
      settings[key + "." + name] = one.substr(one.find('=') + 1);
  }
}

/// Tuples of the file, if it has any.
std::optional<Tuples> tuples_of(Run& run, std::int64_t n, std::int64_t q) {
  const Case& given = run.given();
  const auto list = [&](int i) { return integers_of(given, "in.tuple." + std::to_string(i)); };
  if (given.has("in.tuple.3"))
    return pairs_from_lists(run.device(), n, q, list(0), list(1), list(2), list(3));
  if (given.has("in.tuple.0"))
    return triplets_from_lists(run.device(), n, q, list(0), list(1), list(2));
  return std::nullopt;
}

/// Sub-losses, and values before the reduction at the places that the file names.
void give_parts(Run& run, const Loss& loss) {
  const Case& given = run.given();
  for (const auto& [name, value] : loss.diagnostics())
    if (given.has("out.sub." + name)) run.give("out.sub." + name, value);
  for (const auto& [name, values] : loss.items()) {
    const std::string full = "out.per_item." + name, index = "out.per_item_index." + name;
    if (!given.has(full)) continue;
    const Tensor all = values.to_host().to(DType::f64);
    std::vector<double> picked;
    for (const std::int64_t i : given.at(index).data<std::int64_t>())
      picked.push_back(all.data<double>()[static_cast<std::size_t>(i)]);
    run.give(full, picked);
    run.ignore(index, "an input: where the values are looked up");
  }
}

void run_loss(Run& run) {
  const Case& given = run.given();
  const std::int64_t n = given.at("in.embeddings").dim(0);
  std::vector<std::int64_t> of(static_cast<std::size_t>(n));
  std::iota(of.begin(), of.end(), 0);
  if (given.has("in.labels")) of = integers_of(given, "in.labels");
  LossRun loss(run, given.op(), loss_settings(given), given.at("in.embeddings").dim(1),
               given.integer("num_classes", 0));
  for (const std::string& stored : given.names("param.")) {
    const std::string name = stored.substr(6);
    loss.parameter(name, name, name == "W" || name == "fc" || name == "weight");
  }
  const Var x = loss.input("embeddings");
  Var reference;
  std::optional<Labels> reference_labels;
  if (given.has("in.ref_embeddings")) {
    reference = loss.input("ref_embeddings");
    reference_labels.emplace(given.has("in.ref_labels") ? integers_of(given, "in.ref_labels") : of);
  }
  Parameter* const histogram = loss.store().find("loss.histogram");
  if (given.has("in.hist")) histogram->value = run.device().upload(run.tensor("in.hist"));
  const auto tuples = tuples_of(run, n, reference.defined() ? reference.dim(0) : n);
  const Labels labels(of);
  const Var y = loss.loss()({.embedding = x,
                             .features = x,
                             .labels = labels,
                             .reference = reference,
                             .reference_labels = reference_labels ? &*reference_labels : nullptr,
                             .tuples = tuples ? &*tuples : nullptr});
  if (given.has("out.hist")) run.give("out.hist", histogram->value);
  give_parts(run, loss.loss());
  loss.finish(y);
}

/// The definitions that need nothing but the loss of that name.
const std::vector<AddGolden> plain = [] {
  std::vector<AddGolden> all;
  for (const char* op : {"angular",
                         "arcface",
                         "circle",
                         "contrastive",
                         "cosface",
                         "dynamic_soft_margin",
                         "fast_ap",
                         "generalized_lifted_structure",
                         "histogram",
                         "instance",
                         "intra_pair_variance",
                         "large_margin_softmax",
                         "lifted_structure",
                         "margin",
                         "multi_similarity",
                         "n_pairs",
                         "nca",
                         "normalized_softmax",
                         "nt_xent",
                         "p2s_grad",
                         "pnp",
                         "proxy_anchor",
                         "proxy_nca",
                         "ranked_list",
                         "smooth_ap",
                         "snr_contrastive",
                         "soft_triple",
                         "sphereface",
                         "sub_center_arcface",
                         "sup_con",
                         "threshold_consistent_margin",
                         "triplet_margin",
                         "tuplet_margin",
                         "vicreg"})
    all.emplace_back("losses", op, run_loss);
  return all;
}();

const AddGolden manifold{
    "losses", "manifold", [](Run& run) {
      const Case& given = run.given();
      const auto meta = integers_of(given, "in.meta_classes");
      run.loss(manifold_loss(run.variable("embeddings"), run.variable("proxies"), meta,
                             {.lambda_c = given.number("hp.lambdaC"),
                              .alpha = given.number("hp.alpha"),
                              .margin = given.number("hp.margin")}));
    }};

}  // namespace

std::vector<std::int64_t> integers_of(const Case& given, const std::string& name) {
  const auto values = given.at(name).data<std::int64_t>();
  return {values.begin(), values.end()};
}

Settings loss_settings(const Case& given) {
  Settings settings;
  for (const auto& [key, value] : given.contents().metadata) {
    if (key.starts_with("hp.")) settings[key == "hp.beta0" ? "beta" : key.substr(3)] = value;
    if (key.starts_with("distance.")) settings[key] = value;
  }
  if (given.says("distance")) settings["distance"] = given.text("distance");
  if (given.text("reducer", "none") != "none")
    add_component(settings, "reducer", given.text("reducer"));
  for (const std::string which : {"embedding", "weight"}) {
    if (!given.says(which + "_regularizer")) continue;
    add_component(settings, which + "_regularizer", given.text(which + "_regularizer"));
    settings[which + "_reg_weight"] = given.text(which + "_reg_weight");
  }
  // Without labels the rows of the two sets are pairs.
  if (given.op() == "dynamic_soft_margin" && !given.has("in.labels")) settings["paired"] = "true";
  const std::vector<FieldInfo>& fields = Registry<Loss>::find(given.op()).fields;
  const auto has = [&](const std::string& name) {
    return std::any_of(fields.begin(), fields.end(),
                       [&](const FieldInfo& field) { return field.name == name; });
  };
  // Every file names a distance and a reducer, also where the definition leaves no choice.
  for (const std::string part : {"distance", "reducer"})
    if (!has(part + ".name"))
      std::erase_if(settings, [&](const auto& one) { return one.first.starts_with(part); });
  return settings;
}

LossRun::LossRun(Run& run, const std::string& name, const Settings& settings, std::int64_t dim,
                 std::int64_t classes)
    : run_(run),
      store_(run.device(), run.type()),
      loss_(Registry<Loss>::make(
          name, settings,
          {.scope = Scope(store_) / "loss", .dim = dim, .features = dim, .classes = classes})) {}

void LossRun::parameter(const std::string& name, const std::string& stored, bool by_column) {
  Parameter* const parameter = store_.find("loss." + name);
  DML_CHECK(parameter != nullptr, "the loss has no parameter '" + name + "'");
  const Tensor value = run_.tensor("param." + stored);
  parameter->value = run_.device().upload(by_column ? transposed(value) : value);
  learnt_.push_back({parameter, stored, by_column});
}

Var LossRun::input(const std::string& name) {
  const Var x = run_.tape().variable(run_.device().upload(run_.tensor("in." + name)));
  inputs_.emplace_back(name, x);
  return x;
}

void LossRun::finish(const Var& y) {
  run_.give("out.loss", y.value());
  if (y.needs_grad()) run_.tape().backward(y);
  const auto give = [&](const std::string& name, const Tensor& gradient, const Shape& shape,
                        bool by_column) {
    const Tensor host =
        gradient.defined() ? run_.device().dense(gradient).to_host() : Tensor(shape, run_.type());
    run_.give("grad." + name, by_column ? transposed(host) : host);
  };
  for (const Learnt& one : learnt_)
    give(one.stored, one.parameter->grad, one.parameter->value.shape(), one.by_column);
  for (const auto& [name, x] : inputs_) give(name, run_.tape().gradient(x), x.shape(), false);
}

}  // namespace dml::golden
