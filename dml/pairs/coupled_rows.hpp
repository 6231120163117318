#pragma once
#include <array>

#include "dml/pairs/row_loss.hpp"
#include "engine/cpu/parallel.hpp"

namespace dml {

/// What a coupled loss sees: triplets (a, p, k) whose value needs the pair (p, k) as well.
template <class T> struct Coupled {
  const T* positive;       ///< [n, q] entry (a, p) is read for the positive pair
  const T* negative;       ///< [n, q] entry (a, k) for the negative one
  const T* between;        ///< [q, q] entry (p, k)
  const float* pairs;      ///< [n, q] which positives, and which negatives if `negatives` is null
  const float* negatives;  ///< [n, q] which negatives
  FilterPointers<T> filter;
  const T* up;              ///< [n] gradient of the sums; null in the forward pass
  std::int64_t rows, size;  ///< n, q

  DML_HOST_DEVICE T chosen(std::int64_t a, std::int64_t p) const {
    return T(pairs::positive(pairs[a * size + p]));
  }
};

/// Tensors of the above.
struct CoupledInputs {
  Tensor positive{}, negative{}, between{};
  Tensor pairs{}, negatives{};
  TripletFilter filter{};
  Tensor counts{};  ///< [n] f64, written by the forward kernel
};

/// Turns a functor into a loss on triplets with three matrices. As RowLoss, with rows of anchors
/// and, for the gradient of `between`, rows of partners:
///   sums(team, in, a, sum, count)
///   anchor_gradient(team, in, a, dpositive row, dnegative row)
///   partner_gradient(team, in, p, dbetween row)
template <class F> struct CoupledRows {
  static inline constinit Kernel<void(const F&, const CoupledInputs&, Tensor& sums)> fwd{F::name};
  static inline constinit Kernel<void(const F&, const CoupledInputs&, const Tensor& up,
                                      Tensor& dpositive, Tensor& dnegative, Tensor& dbetween)>
      bwd{F::name};

  F function;
  CoupledInputs in;

  Tensor forward(Device& device, const Tensor& positive, const Tensor& negative,
                 const Tensor& between) {
    in.positive = device.dense(positive);
    in.negative = device.dense(negative);
    in.between = device.dense(between);
    Tensor sums = device.empty({positive.dim(0)}, positive.dtype());
    fwd(device, function, in, sums);
    return sums;
  }
  Grads<3> backward(Device& device, const Tensor& up, std::array<bool, 3>) const {
    const DType type = up.dtype();
    Grads<3> all{device.empty(in.positive.shape(), type), device.empty(in.negative.shape(), type),
                 device.empty(in.between.shape(), type)};
    bwd(device, function, in, device.dense(up), all[0], all[1], all[2]);
    return all;
  }
};

/// Runs a coupled loss; the sums and counts of every anchor.
template <class F>
Items coupled_rows(F function, const Var& positive, const Var& negative, const Var& between,
                   CoupledInputs in) {
  in.counts = positive.device().zeros({positive.dim(0)}, DType::f64);
  const Tensor counts = in.counts;
  CoupledRows<F> op{std::move(function), std::move(in)};
  return {apply(std::move(op), positive, negative, between), counts, nullptr, {}};
}

namespace pairs {

template <class T> Coupled<T> coupled(const CoupledInputs& in, const T* up) {
  return {in.positive.raw<T>(),
          in.negative.raw<T>(),
          in.between.raw<T>(),
          in.pairs.raw<float>(),
          in.negatives.defined() ? in.negatives.raw<float>() : in.pairs.raw<float>(),
          FilterPointers<T>(in.filter),
          up,
          in.positive.dim(0),
          in.positive.dim(1)};
}

/// All anchors.
template <class F, class T, class Team>
void coupled_sums(const F& f, const CoupledInputs& in, Tensor& sums, int threads) {
  const Coupled<T> at = coupled<T>(in, nullptr);
  cpu::parallel_for(threads, at.rows, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t a = first; a < last; ++a) {
      double sum = 0, count = 0;
      f.sums(Team{}, at, a, sum, count);
      sums.raw<T>()[a] = static_cast<T>(sum);
      in.counts.raw<double>()[a] = count;
    }
  });
}

/// All anchors, then all partners.
template <class F, class T, class Team>
void coupled_gradients(const F& f, const CoupledInputs& in, const Tensor& up, Tensor& dpositive,
                       Tensor& dnegative, Tensor& dbetween, int threads) {
  const Coupled<T> at = coupled<T>(in, up.raw<T>());
  const std::int64_t q = at.size;
  cpu::parallel_for(threads, at.rows, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t a = first; a < last; ++a)
      f.anchor_gradient(Team{}, at, a, dpositive.raw<T>() + a * q, dnegative.raw<T>() + a * q);
  });
  cpu::parallel_for(threads, q, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p)
      f.partner_gradient(Team{}, at, p, dbetween.raw<T>() + p * q);
  });
}

/// The forward kernels.
template <class F>
void coupled_sums_reference(Device&, const F& f, const CoupledInputs& in, Tensor& sums) {
  visit_float(sums.dtype(), [&]<class T>() { coupled_sums<F, T, PlainTeam>(f, in, sums, 1); });
}
/// As above, f32 on all threads.
template <class F>
void coupled_sums_cpu(Device& device, const F& f, const CoupledInputs& in, Tensor& sums) {
  coupled_sums<F, float, VectorTeam>(f, in, sums, device.threads());
}
/// The backward kernels.
template <class F>
void coupled_gradients_reference(Device&, const F& f, const CoupledInputs& in, const Tensor& up,
                                 Tensor& dpositive, Tensor& dnegative, Tensor& dbetween) {
  visit_float(up.dtype(), [&]<class T>() {
    coupled_gradients<F, T, PlainTeam>(f, in, up, dpositive, dnegative, dbetween, 1);
  });
}
/// As above, f32 on all threads.
template <class F>
void coupled_gradients_cpu(Device& device, const F& f, const CoupledInputs& in, const Tensor& up,
                           Tensor& dpositive, Tensor& dnegative, Tensor& dbetween) {
  coupled_gradients<F, float, VectorTeam>(f, in, up, dpositive, dnegative, dbetween,
                                          device.threads());
}

}  // namespace pairs

/// Fills the reference and cpu slots of CoupledRows<F>.
template <class F> bool add_coupled_rows(const char* file = __builtin_FILE()) {
  using Op = CoupledRows<F>;
  return Op::fwd.add(Backend::reference, pairs::coupled_sums_reference<F>, file) &&
         Op::bwd.add(Backend::reference, pairs::coupled_gradients_reference<F>, file) &&
         Op::fwd.add(Backend::cpu, pairs::coupled_sums_cpu<F>, file) &&
         Op::bwd.add(Backend::cpu, pairs::coupled_gradients_cpu<F>, file);
}

}  // namespace dml
