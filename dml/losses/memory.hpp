#pragma once
#include <cstdint>
#include <vector>

#include "dml/tuples.hpp"
#include "engine/kernel.hpp"
#include "engine/parameter.hpp"

namespace dml {

/// The most recent embeddings of a run with their labels: a ring of fixed size. All of it, the
/// place of the next row and how many rows are filled among them, lies in buffers and so in the
/// checkpoint.
class EmbeddingMemory {
 public:
  EmbeddingMemory(const Scope& scope, std::int64_t size, std::int64_t dim);

  /// Writes rows over the oldest ones.   [n, dim] with n labels
  /// @throws UsageError for more rows than the memory holds.
  void write(Device& device, const Tensor& rows, const Labels& labels);

  std::int64_t size() const { return rows_.value.dim(0); }
  std::int64_t filled() const { return filled_; }
  /// Where the next row will be written.
  std::int64_t next() const { return next_; }
  /// Where row i of the last write() of n rows lies.
  std::int64_t slot(std::int64_t n, std::int64_t i) const {
    return (next_ - n + i + size()) % size();
  }
  /// The filled rows.   [filled, dim]
  Tensor rows() const { return rows_.value.rows(0, filled_); }
  /// The labels of the filled rows.
  Labels labels() const;
  /// Takes what a checkpoint brought; reads it on the host, once.
  void refresh();

 private:
  void store(Device& device);

  Parameter &rows_, &labels_, &pointer_, &count_;
  std::vector<std::int64_t> of_;
  std::int64_t next_ = 0, filled_ = 0;
  Tensor seen_;  // the labels as they were stored last
};

namespace kernel {
/// Where the copies of n rows lie in a memory of `size` rows: row i at (first + i) % size.
struct CopyPlaces {
  std::int64_t first, size;
};
/// out = relation [n, q], 0 where a row meets its own copy.
inline constinit Kernel<void(const Tensor& relation, CopyPlaces at, Tensor& out)> without_copies{
    "without copies"};
/// The triplets of `list` whose positive is not the anchor's own copy; fills the members of `out`.
inline constinit Kernel<void(const Tuples& list, CopyPlaces at, Tuples& out)> list_without_copies{
    "list without copies"};
/// out [n, q] = relation plus `within` [n, n], whose columns are the rows of the batch.
inline constinit Kernel<void(const Tensor& relation, const Tensor& within, CopyPlaces at,
                             Tensor& out)>
    relation_plus_batch{"relation plus batch"};
}  // namespace kernel

}  // namespace dml
