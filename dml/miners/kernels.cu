#include <type_traits>

#include "dml/miners/kernels.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// A number as an integer of the same order.
template <class T> using Key = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
template <class T> __device__ Key<T> key_of(T value) {
  constexpr Key<T> top = Key<T>(1) << (8 * sizeof(T) - 1);
  const T number = value == T(0) ? T(0) : value;  // -0 and 0 are equal
  Key<T> bits;
  memcpy(&bits, &number, sizeof(T));
  return (bits & top) != 0 ? static_cast<Key<T>>(~bits) : static_cast<Key<T>>(bits | top);
}

struct Count {
  std::int64_t value;
  static __device__ Count none() { return {0}; }
  __device__ void merge(const Count& other) { value += other.value; }
};

/// The search for the key of the last kept pair of a side, bit by bit from the top.
struct Search {
  std::uint64_t key;    ///< the bits that are known
  std::int64_t wanted;  ///< how many pairs are kept
  std::int64_t above;   ///< how many have a larger key, once it is known
};

/// The positive or the negative pairs, larger = kept first.
template <class T> struct Side {
  const T* matrix;
  const float* relation;
  T direction;
  bool positive;

  __device__ bool has(std::int64_t at) const {
    return positive ? relation[at] > 0 : relation[at] < 0;
  }
  __device__ std::uint64_t key(std::int64_t at) const { return key_of<T>(direction * matrix[at]); }
};

/// store(how many of the entries `take` takes).
template <class Take, class Store>
void count_if(cuda::Context& context, std::int64_t entries, const Take& take, const Store& store) {
  cuda::reduce_all<Count>(
      context, entries, [=] __device__(Count & c, std::int64_t at) { c.value += take(at) ? 1 : 0; },
      store);
}

template <class T>
void keep_side(cuda::Context& context, const Side<T>& side, std::int64_t n, std::int64_t q,
               double share, float* out) {
  const cuda::Temporary memory(context, sizeof(Search) + static_cast<std::size_t>(n) * 8);
  Search* const search = memory.as<Search>();
  auto* const ties = reinterpret_cast<std::int64_t*>(search + 1);
  count_if(
      context, n * q, [=] __device__(std::int64_t at) { return side.has(at); },
      [=] __device__(const Count& c) {
        *search = {0, static_cast<std::int64_t>(ceil(share * static_cast<double>(c.value))), 0};
      });
  for (int bit = 8 * static_cast<int>(sizeof(T)) - 1; bit >= 0; --bit) {
    const std::uint64_t mask = std::uint64_t{1} << bit;
    count_if(
        context, n * q,
        [=] __device__(std::int64_t at) {
          return side.has(at) && side.key(at) >= (search->key | mask);
        },
        [=] __device__(const Count& c) {
          if (c.value >= search->wanted) search->key |= mask;
        });
  }
  count_if(
      context, n * q,
      [=] __device__(std::int64_t at) { return side.has(at) && side.key(at) > search->key; },
      [=] __device__(const Count& c) { search->above = c.value; });
  // Of equal keys the first in the order of rows.
  cuda::for_each_row(context, n, q, [=] __device__(std::int64_t i) {
    std::int64_t equal = 0;
    for (std::int64_t j = threadIdx.x; j < q; j += blockDim.x)
      equal += side.has(i * q + j) && side.key(i * q + j) == search->key ? 1 : 0;
    equal = cuda::block_sum(equal);
    if (threadIdx.x == 0) ties[i] = equal;
  });
  cuda::for_each_cell(context, n, q, [=] __device__(std::int64_t i, std::int64_t j) {
    const std::int64_t at = i * q + j;
    if (!side.has(at)) return;
    const std::uint64_t own = side.key(at);
    bool kept = search->wanted > 0 && own > search->key;
    if (search->wanted > 0 && own == search->key) {
      std::int64_t before = search->above;
      for (std::int64_t r = 0; r < i; ++r) before += ties[r];
      for (std::int64_t c = 0; c < j; ++c)
        before += side.has(i * q + c) && side.key(i * q + c) == own ? 1 : 0;
      kept = before < search->wanted;
    }
    out[at] = kept ? side.relation[at] : 0.0F;
  });
}

void extremes(Device& device, const Tensor& matrix, const kernel::ExtremeInputs& in, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  device.clear(out);
  float* to = out.raw<float>();
  visit_float(matrix.dtype(), [&]<class T>() {
    for (const bool positive : {true, false})
      keep_side<T>(context,
                   {matrix.raw<T>(), in.relation.raw<float>(),
                    static_cast<T>(positive ? in.sign : -in.sign), positive},
                   matrix.dim(0), matrix.dim(1), in.share, to);
  });
}

template <class T> __device__ double total_of(const T* row, std::int64_t q) {
  double total = 0;
  for (std::int64_t j = 0; j < q; ++j) total += static_cast<double>(row[j]);
  return total;
}

template <class T>
void draw_columns(cuda::Context& context, const Tensor& probabilities, const kernel::DrawInputs& in,
                  Tuples& list) {
  const std::int64_t n = probabilities.dim(0), q = probabilities.dim(1), most = in.anchor.size();
  const T* p = probabilities.raw<T>();
  const std::int64_t *anchor = in.anchor.raw<std::int64_t>(),
                     *positive = in.positive.raw<std::int64_t>();
  std::int64_t *to_a = list.anchor.raw<std::int64_t>(), *to_p = list.positive.raw<std::int64_t>(),
               *to_n = list.negative.raw<std::int64_t>(), *count = list.count.raw<std::int64_t>();
  const Random random = in.random;
  const cuda::Temporary memory(context, static_cast<std::size_t>(n) * sizeof(double));
  double* const totals = memory.as<double>();
  cuda::for_each(context, n,
                 [=] __device__(std::int64_t i) { totals[i] = total_of(p + i * q, q); });
  cuda::for_each(context, most,
                 [=] __device__(std::int64_t t) { to_a[t] = to_p[t] = to_n[t] = 0; });
  cuda::for_each(context, most + 1, [=] __device__(std::int64_t t) {
    std::int64_t place = 0;
    for (std::int64_t k = 0; k < t; ++k) place += totals[anchor[k]] > 0 ? 1 : 0;
    if (t == most) {
      *count = place;
      return;
    }
    const std::int64_t a = anchor[t];
    if (!(totals[a] > 0)) return;
    const double goal = random.uniform(static_cast<std::uint64_t>(t)) * totals[a];
    double sum = 0;
    std::int64_t last = 0;
    for (std::int64_t j = 0; j < q && !(sum > goal); ++j) {
      if (!(p[a * q + j] > T(0))) continue;
      last = j;
      sum += static_cast<double>(p[a * q + j]);
    }
    to_a[place] = a;
    to_p[place] = positive[t];
    to_n[place] = last;
  });
}

void draw(Device& device, const Tensor& probabilities, const kernel::DrawInputs& in, Tuples& list) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(probabilities.dtype(),
              [&]<class T>() { draw_columns<T>(context, probabilities, in, list); });
}

/// The smallest and the largest distance of a side.
struct Ends {
  double low, high;
  static __device__ Ends none() { return {HUGE_VAL, -HUGE_VAL}; }
  __device__ void merge(const Ends& other) {
    low = other.low < low ? other.low : low;
    high = other.high > high ? other.high : high;
  }
};

template <class T>
void draw_side(cuda::Context& context, const Side<T>& side, std::int64_t pairs, std::int64_t bins,
               std::int64_t wanted, Random random, float* out) {
  const cuda::Temporary memory(context, sizeof(Ends) + static_cast<std::size_t>(bins) * 8);
  Ends* const ends = memory.as<Ends>();
  auto* const members = reinterpret_cast<std::int64_t*>(ends + 1);
  cuda::reduce_all<Ends>(
      context, pairs,
      [=] __device__(Ends & e, std::int64_t at) {
        const double d = static_cast<double>(side.matrix[at]);
        if (side.has(at)) e.merge({d, d});
      },
      [=] __device__(const Ends& e) { *ends = e; });
  const auto in_bin = [=] __device__(std::int64_t at, std::int64_t bin) {
    const EqualBins of{ends->low, ends->high, bins};
    return side.has(at) && of.of(static_cast<double>(side.matrix[at])) == bin;
  };
  cuda::for_each_row(context, bins, pairs, [=] __device__(std::int64_t bin) {
    std::int64_t count = 0;
    for (std::int64_t at = threadIdx.x; at < pairs; at += blockDim.x) count += in_bin(at, bin);
    count = cuda::block_sum(count);
    if (threadIdx.x == 0) members[bin] = count;
  });
  cuda::for_each(context, bins * wanted, [=] __device__(std::int64_t k) {
    const std::int64_t bin = k / wanted;
    if (members[bin] == 0) return;
    auto left =
        random.below(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(members[bin]));
    for (std::int64_t at = 0; at < pairs; ++at)
      if (in_bin(at, bin) && left-- == 0) {
        // Whole numbers: their sum does not depend on the order.
        atomicAdd(out + at, side.positive ? 1.0F : -1.0F);
        return;
      }
  });
}

void draw_bins(Device& device, const Tensor& matrix, const kernel::BinInputs& in, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  device.clear(out);
  float* to = out.raw<float>();
  visit_float(matrix.dtype(), [&]<class T>() {
    for (const bool positive : {true, false})
      draw_side<T>(context, {matrix.raw<T>(), in.relation.raw<float>(), T(1), positive},
                   matrix.size(), in.bins, positive ? in.positives : in.negatives,
                   in.random.split(positive ? 0 : 1), to);
  });
}

const bool kernels_added = kernel::extreme_pairs.add(Backend::cuda, extremes) &&
                           kernel::draw_negatives.add(Backend::cuda, draw) &&
                           kernel::draw_from_bins.add(Backend::cuda, draw_bins);

}  // namespace
}  // namespace dml
