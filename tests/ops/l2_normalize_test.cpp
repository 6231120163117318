#include "ops/l2_normalize.hpp"

#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const AddCase wide{
    {"l2_normalize [4,512]", {{4, 512}}, [](auto& x) { return l2_normalize(x[0]); }}};
const AddCase odd{{"l2_normalize [3,7]", {{3, 7}}, [](auto& x) { return l2_normalize(x[0]); }}};
const AddCase tiny{
    {"l2_normalize below eps", {{2, 3}}, [](auto& x) { return l2_normalize(x[0], 100); }}};
const AddCase sum{{"l2_normalize eps added", {{2, 33}}, [](auto& x) {
                     return l2_normalize(x[0], 1e-2, NormFloor::added);
                   }}};

}  // namespace
}  // namespace dml::testing
