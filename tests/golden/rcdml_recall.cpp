#include "dml/retrieval/evaluator.hpp"
#include "ops/slice.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

std::vector<std::int64_t> integers_of(const Run& run, const std::string& name) {
  const Tensor tensor = run.tensor(name);
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

/// out.recall at all k of the file, by cosine.
void give_recall(Run& run, const RetrievalSet& set) {
  std::string list;
  for (const std::int64_t k : integers_of(run, "in.ks"))
    list += (list.empty() ? "recall@" : ",recall@") + std::to_string(k);
  std::vector<double> values;
  for (const auto& [name, value] :
       evaluate(run.device(), set, make_metrics(list), {.distance = SearchDistance::cosine}).values)
    values.push_back(value);
  run.give("out.recall", values);
}

const AddGolden within{"rcdml", "eval_recall", [](Run& run) {
                         give_recall(run, {.embeddings = run.tensor("in.embeddings"),
                                           .labels = integers_of(run, "in.labels")});
                       }};

const AddGolden gallery{"rcdml", "eval_recall_inshop", [](Run& run) {
                          const Var query = run.constant("query"), found = run.constant("gallery");
                          RetrievalSet set{
                              .embeddings = run.device().dense(concat({query, found}, 0).value()),
                              .labels = integers_of(run, "in.query_labels")};
                          for (std::int64_t i = 0; i < query.dim(0) + found.dim(0); ++i)
                            (i < query.dim(0) ? set.queries : set.gallery).push_back(i);
                          for (const std::int64_t label : integers_of(run, "in.gallery_labels"))
                            set.labels.push_back(label);
                          give_recall(run, set);
                        }};

}  // namespace
}  // namespace dml::golden
