#pragma once
#include "dml/tuples.hpp"
#include "engine/kernel.hpp"

/// What is derived from tuples, as kernels.
namespace dml::kernel {

/// relation [n, q] f32: 1 where a[i] = b[j], else -1; with `self` 0 on the diagonal. a, b: i64.
inline constinit Kernel<void(const Tensor& a, const Tensor& b, bool self, Tensor& relation)>
    label_relation{"label relation"};
/// out [n, q]: the relation of the pairs in the product form.
inline constinit Kernel<void(const Tensor& relation, const TripletFilter& filter, Tensor& out)>
    product_relation{"product relation"};
/// out [n, q]: the relation of the pairs in the list form.
inline constinit Kernel<void(const Tuples& list, Tensor& out)> list_relation{"list relation"};
/// out [n]: how often each row occurs as anchor and, unless anchors_only, as any other member.
/// @param triplets  the pairs of a relation come from triplets: an anchor counts once for both.
inline constinit Kernel<void(const Tensor& relation, bool triplets, bool anchors_only, Tensor& out)>
    relation_occurrences{"occurrences in pairs"};
/// The same for the list form.
inline constinit Kernel<void(const Tuples& list, bool anchors_only, Tensor& out)> list_occurrences{
    "occurrences in triplets"};
/// weights [n] = counts / their largest; 1 when all are 0.
inline constinit Kernel<void(const Tensor& counts, Tensor& weights)> relative_counts{
    "relative counts"};
/// out []: whether the relation has a positive and a negative entry, as 1 or 0.
inline constinit Kernel<void(const Tensor& relation, Tensor& out)> both_sides{"both sides"};

}  // namespace dml::kernel
