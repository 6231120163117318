#include "dml/distance.hpp"
#include "ops/arithmetic.hpp"
#include "ops/sum.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

std::unique_ptr<Distance> distance_of(const Case& given) {
  Settings settings;
  for (const char* key : {"p", "power", "normalize"})
    if (given.says(key)) settings[key] = given.text(key);
  return Registry<Distance>::make(given.text("distance"), settings, {});
}

const AddGolden matrix{"distances", "distance", [](Run& run) {
                         const auto distance = distance_of(run.given());
                         const Var q = run.variable("query");
                         const Var m = run.given().has("in.reference")
                                           ? (*distance)(q, run.variable("reference"))
                                           : (*distance)(q);
                         if (run.given().says("inverted"))
                           DML_CHECK(distance->similarity() == run.given().flag("inverted"),
                                     "the file says whether it is a similarity");
                         run.give("out.matrix", m.value());
                         run.loss(sum(m * run.constant("upstream")));
                       }};

const AddGolden rowwise{"distances", "rowwise_distance", [](Run& run) {
                          const auto distance = distance_of(run.given());
                          const Var v =
                              distance->rowwise(run.variable("query"), run.variable("reference"));
                          run.give("out.values", v.value());
                          run.loss(sum(v * run.constant("upstream")));
                        }};

}  // namespace
}  // namespace dml::golden
