#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dml/neighbours.hpp"
#include "engine/kernel.hpp"

namespace dml {

/// "cosine" or "euclidean". @throws UsageError for other words.
SearchDistance distance_of(const std::string& name);
/// The name of a distance.
const char* name_of(SearchDistance distance);

/// @see search
struct SearchOptions {
  SearchDistance distance = SearchDistance::cosine;
  std::int64_t k = 1;             ///< neighbours of each query
  std::int64_t query_rows = 256;  ///< of a tile; a tile of scores is query_rows x gallery_rows
  std::int64_t gallery_rows = 4096;
};

/// The k nearest gallery rows of every query by exhaustive search, tile by tile: matrix products
/// and a running selection, never more than one tile of scores in memory. More candidates than k
/// are kept and ordered at last by their distances in f64 and, where these are equal, by index, so
/// that rounding in the tiles cannot change the order.
///
/// @param queries  [q, d] f32 or f64 on any place, finite
/// @param gallery  [n, d] of the same type
/// @param self     [q] the gallery index that a query itself has, and that is left out; or
///                 Neighbours::none. An empty span: no query is in the gallery.
/// @return         Neighbours without classes; k is at most the size of the gallery.
/// @throws ShapeError when sizes differ, NumericError naming the first row that is not finite.
Neighbours search(Device& device, const Tensor& queries, const Tensor& gallery,
                  std::span<const std::int64_t> self, const SearchOptions& options);

/// What search_blocks hands over: the number of the first query of the block, and its neighbours.
using TakeBlock = std::function<void(std::int64_t first, const Neighbours& block)>;

/// The same for consecutive blocks of queries, so that as many neighbours as the gallery has can be
/// looked at without holding them all: a block is at most 64 MB. Where k is nearly the size of the
/// gallery, all distances are computed in f64 and sorted.
void search_blocks(Device& device, const Tensor& queries, const Tensor& gallery,
                   std::span<const std::int64_t> self, const SearchOptions& options,
                   const TakeBlock& take);

/// Rows divided by their length (see SearchDistance::cosine), computed in f64; on the host.
Tensor unit_rows(const Tensor& x);

/// @throws NumericError naming the first row of a host tensor [n, d] that holds NaN or infinity.
void require_finite(const Tensor& x, const char* what);

namespace kernel {
/// Running selection of the k largest scores of every row.
///
/// @param scores   [m, n] of the gallery rows first .. first + n - 1; may have a pitch
/// @param first    gallery index of the first column
/// @param self     [m] i64 gallery index to leave out, or -1
/// @param best     [m, k] largest scores so far, -infinity where none yet; in an order of the
///                 kernel's own, changed in place
/// @param index    [m, k] i64 gallery indices of best, -1 where none yet
/// Of equal scores the lower gallery index is preferred.
inline constinit Kernel<void(const Tensor& scores, std::int64_t first, const Tensor& self,
                             Tensor& best, Tensor& index)>
    select_best{"select_best"};

/// The largest score of every row of [m, n] and its column, the lowest of equal ones, compared with
/// what is there already:  best [m], index [m] i64, changed in place.
inline constinit Kernel<void(const Tensor& scores, std::int64_t first, Tensor& best, Tensor& index)>
    row_maximum{"row_maximum"};

/// scores[i, j] -= offset[j]
inline constinit Kernel<void(const Tensor& offset, Tensor& scores)> subtract_row{"subtract_row"};
}  // namespace kernel

}  // namespace dml
