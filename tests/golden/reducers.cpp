#include "dml/reducer.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

/// The reducer of a case, over a list of losses with their anchors.
void reduce_case(Run& run) {
  const Case& given = run.given();
  Settings settings;
  for (const char* key : {"low", "high", "inner", "weights"})
    if (given.says(std::string("hp.") + key)) settings[key] = given.text(std::string("hp.") + key);
  const auto reducer = Registry<Reducer>::make(given.op(), settings, {});
  const std::span<const std::int64_t> of = given.at("in.labels").data<std::int64_t>();
  const Labels labels(std::vector<std::int64_t>(of.begin(), of.end()));
  ItemList list{
      .values = run.variable("losses"), .anchors = given.at("in.anchor"), .labels = &labels};
  if (given.says("hp.divisor"))
    list.divisor = run.device().upload(Tensor::of<double>({1}, {given.number("hp.divisor")}));
  run.loss(reduce(*reducer, list));
}

const AddGolden mean{"reducers", "mean", reduce_case};
const AddGolden sum{"reducers", "sum", reduce_case};
const AddGolden avg_non_zero{"reducers", "avg_non_zero", reduce_case};
const AddGolden threshold{"reducers", "threshold", reduce_case};
const AddGolden divisor{"reducers", "divisor", reduce_case};
const AddGolden class_weighted{"reducers", "class_weighted", reduce_case};
const AddGolden per_anchor{"reducers", "per_anchor", reduce_case};

}  // namespace
}  // namespace dml::golden
