#include "dml/losses/angular.hpp"
#include "dml/pairs/coupled_rows.cuh"

namespace dml {
namespace {
const bool added = add_coupled_rows_cuda<AngularRows>();
}  // namespace
}  // namespace dml
