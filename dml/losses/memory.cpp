#include "dml/losses/memory.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "dml/labels.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

std::int64_t length_of(const Tuples& list) {
  const std::int64_t most = list.anchor.size();
  return list.count.defined() ? std::clamp<std::int64_t>(*list.count.raw<std::int64_t>(), 0, most)
                              : most;
}

void drop(Device& device, const Tensor& relation, kernel::CopyPlaces at, Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  const float* in = relation.raw<float>();
  float* to = out.raw<float>();
  all_lines(device, DType::f32, n, q, [&]<class>(std::int64_t first, std::int64_t last) {
    std::copy(in + first * q, in + last * q, to + first * q);
    for (std::int64_t i = first; i < last; ++i) to[i * q + (at.first + i) % at.size] = 0;
  });
}

/// Serial: the place of an entry depends on all before.
void drop_from_list(Device&, const Tuples& list, kernel::CopyPlaces at, Tuples& out) {
  std::int64_t next = 0;
  for (std::int64_t t = 0, length = length_of(list); t < length; ++t) {
    const std::int64_t a = list.anchor.raw<std::int64_t>()[t];
    const std::int64_t p = list.positive.raw<std::int64_t>()[t];
    if (p == (at.first + a) % at.size) continue;
    out.anchor.raw<std::int64_t>()[next] = a;
    out.positive.raw<std::int64_t>()[next] = p;
    out.negative.raw<std::int64_t>()[next++] = list.negative.raw<std::int64_t>()[t];
  }
  *out.count.raw<std::int64_t>() = next;
  for (std::int64_t t = next; t < list.anchor.size(); ++t)
    for (const Tensor& member : {out.anchor, out.positive, out.negative})
      member.raw<std::int64_t>()[t] = 0;
}

void append(Device& device, const Tensor& relation, const Tensor& within, kernel::CopyPlaces at,
            Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  const float *in = relation.raw<float>(), *more = within.raw<float>();
  float* to = out.raw<float>();
  all_lines(device, DType::f32, n, q + n, [&]<class>(std::int64_t first, std::int64_t last) {
    std::copy(in + first * q, in + last * q, to + first * q);
    for (std::int64_t i = first; i < last; ++i)
      for (std::int64_t j = 0; j < n; ++j) to[i * q + (at.first + j) % at.size] += more[i * n + j];
  });
}

const bool memory_added = kernel::without_copies.add(Backend::reference, drop) &&
                          kernel::without_copies.add(Backend::cpu, drop) &&
                          kernel::list_without_copies.add(Backend::reference, drop_from_list) &&
                          kernel::list_without_copies.add(Backend::cpu, drop_from_list) &&
                          kernel::relation_plus_batch.add(Backend::reference, append) &&
                          kernel::relation_plus_batch.add(Backend::cpu, append);

}  // namespace

EmbeddingMemory::EmbeddingMemory(const Scope& scope, std::int64_t size, std::int64_t dim)
    : rows_(scope.buffer("memory", {size, dim}, init::zeros())),
      labels_(scope.store().add_buffer((scope / "memory_labels").path(), {size}, DType::i64)),
      pointer_(scope.counter("memory_pointer")),
      count_(scope.counter("memory_filled")),
      of_(static_cast<std::size_t>(size), 0),
      seen_(labels_.value) {}

void EmbeddingMemory::refresh() {
  if (labels_.value.shares_memory(seen_)) return;
  const Tensor labels = labels_.value.to_host();
  std::copy_n(labels.raw<std::int64_t>(), of_.size(), of_.begin());
  next_ = *pointer_.value.to_host().raw<std::int64_t>();
  filled_ = *count_.value.to_host().raw<std::int64_t>();
  seen_ = labels_.value;
}

void EmbeddingMemory::write(Device& device, const Tensor& rows, const Labels& labels) {
  refresh();
  const std::int64_t n = labels.size();
  if (n > size())
    throw UsageError(
        fmt::format("a batch of {} rows does not fit a memory of {}\n  raise "
                    "memory_size",
                    n, size()));
  for (std::int64_t i = 0; i < n; ++i)
    of_[static_cast<std::size_t>((next_ + i) % size())] = labels[i];
  const std::int64_t first = std::min(n, size() - next_);
  const auto copy = [&](std::int64_t from, std::int64_t count, std::int64_t to) {
    if (count == 0) return;
    Tensor place = rows_.value.rows(to, to + count);
    device.copy(rows.rows(from, from + count), place);
  };
  copy(0, first, next_);
  copy(first, n - first, 0);
  next_ = (next_ + n) % size();
  filled_ = std::min(size(), filled_ + n);
  store(device);
}

void EmbeddingMemory::store(Device& device) {
  labels_.value =
      device.upload(Tensor::of<std::int64_t>({size()}, std::span<const std::int64_t>(of_)));
  pointer_.value = device.upload(Tensor::of<std::int64_t>({}, {next_}));
  count_.value = device.upload(Tensor::of<std::int64_t>({}, {filled_}));
  seen_ = labels_.value;
}

Labels EmbeddingMemory::labels() const {
  return Labels(std::vector<std::int64_t>(of_.begin(), of_.begin() + filled_));
}

}  // namespace dml
