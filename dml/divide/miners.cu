#include "dml/divide/miners.hpp"
#include "engine/cuda/launch.cuh"

namespace dml::division {
namespace {

// A batch has about a hundred rows; a thread does one.

template <class T>
void weights_of(cuda::Context& context, const Tensor& distances, const Tensor& labels,
                WeightRow row, Tensor& result) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  const T* distance = distances.raw<T>();
  T* weight = result.raw<T>();
  cuda::for_each(context, row.n, [=] __device__(std::int64_t i) {
    row(distance + i * row.n, label, i, weight + i * row.n);
  });
}

template <class T>
void draw_of(cuda::Context& context, const Tensor& weights, const Tensor& uniform, DrawRow row,
             Tensor& chosen) {
  std::int64_t* out = chosen.raw<std::int64_t>();
  const T *weight = weights.raw<T>(), *number = uniform.raw<T>();
  cuda::for_each(context, row.n, [=] __device__(std::int64_t i) {
    row(weight + i * row.n, number + i * row.n, out + i * row.q);
  });
}

template <class T>
void nearest_of(cuda::Context& context, const Tensor& distances, const Tensor& labels,
                NearestRow row, Triplets& triplets) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  std::int64_t *positive = triplets.positives.raw<std::int64_t>(),
               *negative = triplets.negatives.raw<std::int64_t>();
  const T* distance = distances.raw<T>();
  T* filled = triplets.filled.raw<T>();
  cuda::for_each(context, row.n, [=] __device__(std::int64_t i) {
    row(distance + i * row.n, label, i, Places{positive + i * row.q, negative + i * row.q},
        filled + i * row.q);
  });
}

template <class T>
void one_of(cuda::Context& context, const Tensor& distances, const Tensor& uniform,
            const Tensor& labels, OneRow row, Triplets& triplets) {
  const std::int64_t* label = labels.raw<std::int64_t>();
  std::int64_t *positive = triplets.positives.raw<std::int64_t>(),
               *negative = triplets.negatives.raw<std::int64_t>();
  const T *distance = distances.raw<T>(), *number = uniform.raw<T>();
  T* filled = triplets.filled.raw<T>();
  cuda::for_each(context, row.n, [=] __device__(std::int64_t i) {
    row(distance + i * row.n, number + i * row.n, label, i, Places{positive + i, negative + i},
        filled + i);
  });
}

void weights(Device& device, const Tensor& distances, const Tensor& labels, const WeightRow& row,
             Tensor& result) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(distances.dtype(),
              [&]<class T>() { weights_of<T>(context, distances, labels, row, result); });
}
void draw(Device& device, const Tensor& weight, const Tensor& uniform, const DrawRow& row,
          Tensor& chosen) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(weight.dtype(),
              [&]<class T>() { draw_of<T>(context, weight, uniform, row, chosen); });
}
void nearest(Device& device, const Tensor& distances, const Tensor& labels, const NearestRow& row,
             Triplets& triplets) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(distances.dtype(),
              [&]<class T>() { nearest_of<T>(context, distances, labels, row, triplets); });
}
void one(Device& device, const Tensor& distances, const Tensor& uniform, const Tensor& labels,
         const OneRow& row, Triplets& triplets) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(distances.dtype(),
              [&]<class T>() { one_of<T>(context, distances, uniform, labels, row, triplets); });
}

const bool miners_added = kernel::negative_weights.add(Backend::cuda, weights) &&
                          kernel::draw_weighted.add(Backend::cuda, draw) &&
                          kernel::mine_nearest.add(Backend::cuda, nearest) &&
                          kernel::mine_one.add(Backend::cuda, one);

}  // namespace
}  // namespace dml::division
