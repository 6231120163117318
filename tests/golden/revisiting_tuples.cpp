// Criteria and miners of Revisiting-DML on pairs and triplets.
#include "dml/revisiting/criteria.hpp"
#include "dml/revisiting/miners.hpp"
#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "tests/golden/module.hpp"

namespace dml::golden {
namespace {

using revisiting::Choice;
using revisiting::ChoiceRow;

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensor as_tensor(const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>({std::ssize(values)}, values);
}

revisiting::Triplets triplets_of(const Run& run) {
  const Tensor table = run.tensor("in.triplets");
  std::array<std::vector<std::int64_t>, 3> columns;
  for (std::int64_t i = 0; i < table.size(); ++i)
    columns[static_cast<std::size_t>(i % 3)].push_back(table.raw<std::int64_t>()[i]);
  const auto column = [&](std::size_t k) { return run.device().upload(as_tensor(columns[k])); };
  return {column(0), column(1), column(2)};
}

const AddGolden contrastive{"revisiting", "contrastive", [](Run& run) {
                              const Case& given = run.given();
                              run.loss(revisiting::contrastive(
                                  run.variable("embeddings"), triplets_of(run),
                                  given.number("pos_margin", 0), given.number("neg_margin", 1)));
                            }};

const AddGolden triplet{"revisiting", "triplet", [](Run& run) {
                          run.loss(revisiting::triplet(run.variable("embeddings"), triplets_of(run),
                                                       run.given().number("margin", 0.2)));
                        }};

const AddGolden margin{
    "revisiting", "margin", [](Run& run) {
      const Case& given = run.given();
      const Var v = run.variable("embeddings");
      const revisiting::Triplets triplets = triplets_of(run);
      Var beta;
      if (given.has("param.beta")) {
        const Var of_rows = index_select(run.variable("beta"), 0, run.tensor("in.labels"));
        beta = index_select(of_rows, 0, triplets.anchor);
      } else {
        beta =
            v.constant_like(Tensor(triplets.anchor.shape(), v.dtype())) + given.number("beta", 1.2);
      }
      run.loss(revisiting::margin(
          v, triplets, beta, {.margin = given.number("margin", 0.2), .nu = given.number("nu", 0)}));
    }};

const AddGolden quadruplet{
    "revisiting", "quadruplet", [](Run& run) {
      const Case& given = run.given();
      const Var v = run.variable("embeddings");
      const revisiting::Triplets triplets = triplets_of(run);
      const bool paper = given.flag("paper");
      run.give("out.fourth_candidates",
               run.device()
                   .dense(revisiting::fourth_candidates(v, triplets, labels_of(run), paper))
                   .to_host()
                   .to(DType::i64));
      run.loss(revisiting::quadruplet(v, triplets, run.device().upload(run.tensor("in.fourth")),
                                      given.number("margin_alpha_1", 0.2),
                                      given.number("margin_alpha_2", 0.2), paper));
    }};

const AddGolden snr{"revisiting", "snr", [](Run& run) {
                      run.loss(revisiting::snr(run.variable("embeddings"), triplets_of(run),
                                               run.given().number("margin", 0.2),
                                               run.given().number("reg_lambda", 0.005)));
                    }};

/// The rows with another one of their class.
std::vector<std::int64_t> anchors_of(const Labels& labels) {
  std::vector<std::int64_t> anchors;
  for (std::int64_t i = 0; i < labels.size(); ++i)
    if (std::count(labels.of().begin(), labels.of().end(), labels[i]) > 1) anchors.push_back(i);
  return anchors;
}

const AddGolden lifted{"revisiting", "lifted", [](Run& run) {
                         const Labels labels = labels_of(run);
                         run.give("out.anchors", as_tensor(anchors_of(labels)));
                         run.loss(revisiting::lifted(run.variable("embeddings"), labels,
                                                     run.given().number("neg_margin", 1),
                                                     run.given().number("l2_weight", 0.005)));
                       }};

/// Anchors and positives of the file; negatives of the file, or all of other classes.
revisiting::NegativeSets sets_of(const Run& run, const Labels& labels) {
  const std::vector<std::int64_t> anchors = list(run.tensor("in.anchors"));
  const std::int64_t n = labels.size(), count = std::ssize(anchors);
  Tensor without({count, n}, DType::u8);
  std::fill_n(without.raw<std::uint8_t>(), without.size(), std::uint8_t{1});
  for (std::int64_t i = 0; i < count; ++i) {
    if (run.given().has("in.negatives")) {
      for (const std::int64_t j : run.tensor("in.negatives").row<std::int64_t>(i))
        without.raw<std::uint8_t>()[i * n + j] = 0;
      continue;
    }
    for (std::int64_t j = 0; j < n; ++j)
      if (labels[j] != labels[anchors[static_cast<std::size_t>(i)]])
        without.raw<std::uint8_t>()[i * n + j] = 0;
  }
  return {run.device().upload(as_tensor(anchors)), run.device().upload(run.tensor("in.positives")),
          without};
}

const AddGolden npair{"revisiting", "npair", [](Run& run) {
                        const Case& given = run.given();
                        run.loss(revisiting::npair(
                            run.variable("embeddings"), sets_of(run, labels_of(run)),
                            given.number("l2_weight", 0.005), given.number("input_divisor", 1)));
                      }};

const AddGolden angular{
    "revisiting", "angular", [](Run& run) {
      const Case& given = run.given();
      run.loss(revisiting::angular(run.variable("embeddings"), sets_of(run, labels_of(run)),
                                   {.alpha = given.number("alpha_degrees", 45),
                                    .weight = given.number("ang_weight", 2),
                                    .l2 = given.number("l2_weight", 0.005)}));
    }};

const AddGolden multisimilarity{
    "revisiting", "multisimilarity", [](Run& run) {
      const Case& given = run.given();
      run.loss(revisiting::multisimilarity(run.variable("embeddings"), labels_of(run),
                                           {.positive = given.number("pos_weight", 2),
                                            .negative = given.number("neg_weight", 40),
                                            .margin = given.number("margin", 0.1),
                                            .threshold = given.number("thresh", 0.5)}));
    }};

const AddGolden histogram{
    "revisiting", "histogram", [](Run& run) {
      for (const char* name : {"out.loss_reference_quirk", "out.grad_reference_quirk"})
        if (run.given().has(name))
          run.ignore(name, "what the published code returns where it compares floats with ==");
      run.loss(revisiting::histogram(run.variable("embeddings"), labels_of(run),
                                     run.given().integer("nbins", 65)));
    }};

const AddGolden separation{
    "revisiting", "adversarial_separation", [](Run& run) {
      const std::vector<double> weights = run.given().numbers("weights");
      const std::string directions = run.given().text("directions");
      std::map<std::string, Var> embeddings;
      const auto embedding = [&](const std::string& name) {
        if (!embeddings.contains(name)) embeddings[name] = run.variable(name);
        return embeddings[name];
      };
      Var loss;
      std::size_t begin = 0;
      for (const double weight : weights) {
        const std::size_t end = std::min(directions.find(',', begin), directions.size());
        const std::string direction = directions.substr(begin, end - begin);
        const std::size_t dash = direction.find('-');
        begin = end + 1;
        const Var one = weight * revisiting::adversarial_separation(
                                     embedding(direction.substr(0, dash)),
                                     embedding(direction.substr(dash + 1)),
                                     {.weight0 = run.variable(direction + ".0.weight"),
                                      .bias0 = run.variable(direction + ".0.bias"),
                                      .weight2 = run.variable(direction + ".2.weight"),
                                      .bias2 = run.variable(direction + ".2.bias")});
        loss = loss.defined() ? loss + one : one;
      }
      // An embedding that no direction names has no gradient, and the file says so with zeros.
      run.loss(loss);
      for (const std::string& name : run.given().names("in."))
        if (!embeddings.contains(name.substr(3))) run.variable(name.substr(3));
    }};

}  // namespace
}  // namespace dml::golden
