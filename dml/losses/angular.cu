#include "dml/losses/angular.hpp"
#include "dml/pairs/coupled_rows.cuh"

namespace dml {
namespace {
const bool angular_added = add_coupled_rows_cuda<AngularRows>();
}  // namespace
}  // namespace dml
