#include "dml/divide/miners.hpp"
#include "engine/cuda/launch.cuh"

namespace dml::division {
namespace {

// A batch has about a hundred rows; a thread does one.

void weights(Device& device, const Tensor& distances, const Tensor& labels, const WeightRow& row,
             Tensor& result) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  visit_float(distances.dtype(), [&]<class T>() {
    const T* distance = distances.raw<T>();
    T* weight = result.raw<T>();
    const WeightRow body = row;
    cuda::for_each(cuda::context_of(device), row.n, [=] __device__(std::int64_t i) {
      body(distance + i * body.n, label, i, weight + i * body.n);
    });
  });
}

void draw(Device& device, const Tensor& weights, const Tensor& uniform, const DrawRow& row,
          Tensor& chosen) {
  std::int64_t* out = chosen.raw<std::int64_t>();
  visit_float(weights.dtype(), [&]<class T>() {
    const T *weight = weights.raw<T>(), *number = uniform.raw<T>();
    const DrawRow body = row;
    cuda::for_each(cuda::context_of(device), row.n, [=] __device__(std::int64_t i) {
      body(weight + i * body.n, number + i * body.n, out + i * body.q);
    });
  });
}

void nearest(Device& device, const Tensor& distances, const Tensor& labels, const NearestRow& row,
             Triplets& triplets) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  std::int64_t *positive = triplets.positives.raw<std::int64_t>(),
               *negative = triplets.negatives.raw<std::int64_t>();
  visit_float(distances.dtype(), [&]<class T>() {
    const T* distance = distances.raw<T>();
    T* filled = triplets.filled.raw<T>();
    const NearestRow body = row;
    cuda::for_each(cuda::context_of(device), row.n, [=] __device__(std::int64_t i) {
      body(distance + i * body.n, label, i, Places{positive + i * body.q, negative + i * body.q},
           filled + i * body.q);
    });
  });
}

void one(Device& device, const Tensor& distances, const Tensor& uniform, const Tensor& labels,
         const OneRow& row, Triplets& triplets) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  std::int64_t *positive = triplets.positives.raw<std::int64_t>(),
               *negative = triplets.negatives.raw<std::int64_t>();
  visit_float(distances.dtype(), [&]<class T>() {
    const T *distance = distances.raw<T>(), *number = uniform.raw<T>();
    T* filled = triplets.filled.raw<T>();
    const OneRow body = row;
    cuda::for_each(cuda::context_of(device), row.n, [=] __device__(std::int64_t i) {
      body(distance + i * body.n, number + i * body.n, label, i, Places{positive + i, negative + i},
           filled + i);
    });
  });
}

const bool added = kernel::negative_weights.add(Backend::cuda, weights) &&
                   kernel::draw_weighted.add(Backend::cuda, draw) &&
                   kernel::mine_nearest.add(Backend::cuda, nearest) &&
                   kernel::mine_one.add(Backend::cuda, one);

}  // namespace
}  // namespace dml::division
