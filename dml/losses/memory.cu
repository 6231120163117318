#include "dml/losses/memory.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

void drop(Device& device, const Tensor& relation, kernel::CopyPlaces at, Tensor& out) {
  const std::int64_t q = relation.dim(1);
  const float* from = relation.raw<float>();
  float* to = out.raw<float>();
  cuda::for_each_cell(cuda::context_of(device), relation.dim(0), q,
                      [=] __device__(std::int64_t i, std::int64_t j) {
                        to[i * q + j] = (at.first + i) % at.size == j ? 0.0F : from[i * q + j];
                      });
}

/// Every entry counts how many before it are kept, which is its place.
void drop_from_list(Device& device, const Tuples& list, kernel::CopyPlaces at, Tuples& out) {
  const std::int64_t *a = list.anchor.raw<std::int64_t>(), *p = list.positive.raw<std::int64_t>(),
                     *n = list.negative.raw<std::int64_t>(),
                     *count = list.count.defined() ? list.count.raw<std::int64_t>() : nullptr;
  std::int64_t *to_a = out.anchor.raw<std::int64_t>(), *to_p = out.positive.raw<std::int64_t>(),
               *to_n = out.negative.raw<std::int64_t>(), *left = out.count.raw<std::int64_t>();
  const std::int64_t most = list.anchor.size();
  cuda::Context& context = cuda::context_of(device);
  cuda::for_each(context, most,
                 [=] __device__(std::int64_t t) { to_a[t] = to_p[t] = to_n[t] = 0; });
  cuda::for_each(context, most + 1, [=] __device__(std::int64_t t) {
    const std::int64_t length = count == nullptr ? most : *count < most ? *count : most;
    const auto kept = [&](std::int64_t k) {
      return k < length && p[k] != (at.first + a[k]) % at.size;
    };
    std::int64_t place = 0;
    for (std::int64_t k = 0; k < t; ++k) place += kept(k) ? 1 : 0;
    if (t == most) {
      *left = place;
    } else if (kept(t)) {
      to_a[place] = a[t];
      to_p[place] = p[t];
      to_n[place] = n[t];
    }
  });
}

void append(Device& device, const Tensor& relation, const Tensor& within, kernel::CopyPlaces at,
            Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  const float *from = relation.raw<float>(), *more = within.raw<float>();
  float* to = out.raw<float>();
  cuda::for_each_cell(cuda::context_of(device), n, q,
                      [=] __device__(std::int64_t i, std::int64_t j) {
                        const std::int64_t row = (j - at.first + at.size) % at.size;
                        to[i * q + j] = from[i * q + j] + (row < n ? more[i * n + row] : 0.0F);
                      });
}

const bool memory_added = kernel::without_copies.add(Backend::cuda, drop) &&
                          kernel::list_without_copies.add(Backend::cuda, drop_from_list) &&
                          kernel::relation_plus_batch.add(Backend::cuda, append);

}  // namespace
}  // namespace dml
