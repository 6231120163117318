#include "dml/regularizer.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

void run_regularizer(Run& run) {
  const Case& given = run.given();
  Settings settings;
  for (const char* key : {"p", "power"})
    if (given.says(std::string("hp.") + key)) settings[key] = given.text(std::string("hp.") + key);
  const auto regularizer =
      Registry<Regularizer>::make(given.op(), settings,
                                  {.classes = given.integer("hp.num_classes", 0),
                                   .centers_per_class = given.integer("hp.centers_per_class", 1)});
  run.loss((*regularizer)(run.variable("x")));
}

const std::vector<AddGolden> all = [] {
  std::vector<AddGolden> list;
  for (const char* op : {"center_invariant", "lp", "regular_face", "sparse_centers", "zero_mean"})
    list.emplace_back("regularizers", op, run_regularizer);
  return list;
}();

}  // namespace
}  // namespace dml::golden
