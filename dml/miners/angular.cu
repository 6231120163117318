#include "dml/miners/angular.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// Counts the triplets of every pair (a, p), then writes those of each behind those before it.
template <class T>
void list_kept(cuda::Context& context, const Tensor& squared, const kernel::AngularInputs& in,
               Tuples& list) {
  const std::int64_t n = squared.dim(0), q = squared.dim(1), most = list.anchor.size();
  const T *d = squared.raw<T>(), *between = in.between.raw<T>(), *own = in.anchor_sums.raw<T>(),
          *other = in.reference_sums.raw<T>();
  const float* relation = in.relation.raw<float>();
  const AngularRule rule = in.rule;
  std::int64_t *to_a = list.anchor.raw<std::int64_t>(), *to_p = list.positive.raw<std::int64_t>(),
               *to_n = list.negative.raw<std::int64_t>(), *count = list.count.raw<std::int64_t>();
  const auto keeps = [=] __device__(std::int64_t a, std::int64_t p, std::int64_t k) {
    return relation[a * q + k] < 0 &&
           rule.keeps(static_cast<double>(d[a * q + p]), static_cast<double>(d[a * q + k]),
                      static_cast<double>(between[p * q + k]), static_cast<double>(own[a]),
                      static_cast<double>(other[p]), static_cast<double>(other[k]));
  };
  const cuda::Temporary memory(context, static_cast<std::size_t>(n * q + n) * 8);
  auto* const cells = memory.as<std::int64_t>();
  std::int64_t* const rows = cells + n * q;
  cuda::for_each_cell(context, n, q, [=] __device__(std::int64_t a, std::int64_t p) {
    std::int64_t kept = 0;
    if (relation[a * q + p] > 0)
      for (std::int64_t k = 0; k < q; ++k) kept += keeps(a, p, k) ? 1 : 0;
    cells[a * q + p] = kept;
  });
  cuda::for_each_row(context, n, q, [=] __device__(std::int64_t a) {
    std::int64_t total = 0;
    for (std::int64_t p = threadIdx.x; p < q; p += blockDim.x) total += cells[a * q + p];
    total = cuda::block_sum(total);
    if (threadIdx.x == 0) rows[a] = total;
  });
  cuda::for_each(context, most,
                 [=] __device__(std::int64_t t) { to_a[t] = to_p[t] = to_n[t] = 0; });
  cuda::for_each(context, 1, [=] __device__(std::int64_t) {
    std::int64_t total = 0;
    for (std::int64_t a = 0; a < n; ++a) total += rows[a];
    *count = total;
  });
  cuda::for_each_cell(context, n, q, [=] __device__(std::int64_t a, std::int64_t p) {
    if (cells[a * q + p] == 0) return;
    std::int64_t next = 0;
    for (std::int64_t before = 0; before < a; ++before) next += rows[before];
    for (std::int64_t before = 0; before < p; ++before) next += cells[a * q + before];
    for (std::int64_t k = 0; k < q; ++k) {
      if (!keeps(a, p, k)) continue;
      to_a[next] = a;
      to_p[next] = p;
      to_n[next++] = k;
    }
  });
}

void list_angular(Device& device, const Tensor& squared, const kernel::AngularInputs& in,
                  Tuples& list) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(squared.dtype(), [&]<class T>() { list_kept<T>(context, squared, in, list); });
}

const bool angular_added = kernel::list_angular.add(Backend::cuda, list_angular);

}  // namespace
}  // namespace dml
