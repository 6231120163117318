#include "ops/l2_normalize.hpp"
#include "ops/softplus.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

const AddGolden softplus_case{"ops", "softplus",
                              [](Run& run) { run.output("y", softplus(run.variable("x"))); }};

const AddGolden l2_normalize_case{
    "ops", "l2_normalize", [](Run& run) {
      const bool added = run.given().text("formula").find("sqrt(sum") != std::string::npos;
      run.output("y", l2_normalize(run.variable("x"), run.given().number("eps"),
                                   added ? NormFloor::added : NormFloor::maximum));
    }};

}  // namespace
}  // namespace dml::golden
