#include "dml/group_loss/group_loss.hpp"

#include <set>

#include "dml/group_loss/anchors.hpp"
#include "dml/samplers/group.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensor as_tensor(const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

const AddGolden loss{
    "group_loss", "group_loss", [](Run& run) {
      const Case& given = run.given();
      const Var features = run.variable("features");
      const Var logits = run.variable("logits");
      std::vector<std::int64_t> labels = list(run.tensor("in.labels")), columns;
      if (given.has("in.classes")) {  // labels are positions in the list of classes
        columns = list(run.tensor("in.classes"));
        for (std::int64_t& label : labels) label = columns.at(static_cast<std::size_t>(label));
      }
      const Labels classes(labels, logits.dim(1));
      const GroupLossTerms terms = group_loss({.features = features,
                                               .logits = logits,
                                               .labels = classes,
                                               .anchors = list(run.tensor("in.anchors")),
                                               .columns = columns},
                                              {.temperature = given.number("temperature"),
                                               .iterations = given.integer("iterations"),
                                               .scaling = given.number("scaling_loss"),
                                               .ce_weight = given.number("ce_weight"),
                                               .prior = group_prior_of(given.text("prior"))});
      run.give("out.W", terms.similarity.value());
      for (std::size_t t = 0; t < terms.states.size(); ++t)
        run.give("out.X" + std::to_string(t), terms.states[t].value());
      run.give("out.loss_group", terms.group.value());
      if (given.has("out.loss_ce")) run.give("out.loss_ce", terms.cross_entropy.value());
      run.loss(terms.loss);
    }};

const AddGolden split{"group_loss", "group_loss_split", [](Run& run) {
                        const std::vector<std::int64_t> labels = list(run.tensor("in.labels"));
                        const std::vector<std::int64_t> anchors =
                            choose_anchors(labels, run.given().integer("num_points_per_class"));
                        const std::set<std::int64_t> chosen(anchors.begin(), anchors.end());
                        std::vector<std::int64_t> rest, anchor_labels;
                        for (std::size_t i = 0; i < labels.size(); ++i)
                          if (!chosen.contains(static_cast<std::int64_t>(i)))
                            rest.push_back(static_cast<std::int64_t>(i));
                        for (const std::int64_t row : anchors)
                          anchor_labels.push_back(labels[static_cast<std::size_t>(row)]);
                        run.give("out.anchors", as_tensor(anchors));
                        run.give("out.unlabelled", as_tensor(rest));
                        run.give("out.anchor_labels", as_tensor(anchor_labels));
                      }};

/// With every permutation replaced by the identity.
const AddGolden sampler{
    "group_loss", "group_loss_sampler", [](Run& run) {
      std::vector<std::vector<std::int64_t>> classes;
      std::int64_t next = 0;
      for (const std::int64_t size : list(run.tensor("in.class_sizes"))) {
        classes.emplace_back();
        for (std::int64_t i = 0; i < size; ++i) classes.back().push_back(next++);
      }
      const auto chunks = group_chunks(classes, run.given().integer("samples_per_class"));
      std::vector<std::int64_t> flat, joined;
      for (const auto& chunk : chunks) flat.insert(flat.end(), chunk.begin(), chunk.end());
      for (const auto& batch : join_chunks(chunks, run.given().integer("classes_per_batch")))
        joined.insert(joined.end(), batch.begin(), batch.end());
      run.give("out.flat", as_tensor(flat));
      const std::int64_t width =
          run.given().integer("classes_per_batch") * run.given().integer("samples_per_class");
      run.give("out.batches", as_tensor(joined).reshape(
                                  {static_cast<std::int64_t>(joined.size()) / width, width}));
    }};

}  // namespace
}  // namespace dml::golden
