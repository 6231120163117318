#include "ops/soft_rank.hpp"

#include <algorithm>

#include "ops/lines.hpp"

namespace dml {
namespace {

struct SoftRank {
  Tensor chosen;
  double temperature;
  Tensor s{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    s = device.dense(in);
    Tensor r = device.empty(s.shape(), s.dtype());
    kernel::soft_rank_fwd(device, s, chosen, temperature, r);
    return r;
  }
  Grads<1> backward(Device& device, const Tensor& dr, std::array<bool, 1>) const {
    Tensor ds = device.empty(s.shape(), s.dtype());
    kernel::soft_rank_bwd(device, s, chosen, temperature, device.dense(dr), ds);
    return {ds};
  }
};

template <class T>
void rank_rows(const Tensor& s, const Tensor& chosen, double temperature, Tensor& r,
               std::int64_t first, std::int64_t last) {
  const std::int64_t q = s.dim(1);
  const T factor = static_cast<T>(1 / temperature);
  for (std::int64_t row = first; row < last; ++row) {
    const T* in = s.raw<T>() + row * q;
    const float* pick = chosen.raw<float>() + row * q;
    T* out = r.raw<T>() + row * q;
    for (std::int64_t i = 0; i < q; ++i) {
      out[i] = T(0);
      if (!(pick[i] > 0)) continue;
      double total = 0.5;  // the entry itself adds a half that is not to count
      for (std::int64_t j = 0; j < q; ++j)
        total += static_cast<double>(smooth_step((in[j] - in[i]) * factor));
      out[i] = static_cast<T>(total);
    }
  }
}

template <class T>
void pull_rows(const Tensor& s, const Tensor& chosen, double temperature, const Tensor& dr,
               Tensor& ds, std::int64_t first, std::int64_t last) {
  const std::int64_t q = s.dim(1);
  const T factor = static_cast<T>(1 / temperature);
  for (std::int64_t row = first; row < last; ++row) {
    const T* in = s.raw<T>() + row * q;
    const float* pick = chosen.raw<float>() + row * q;
    T* out = ds.raw<T>() + row * q;
    std::fill_n(out, q, T(0));
    for (std::int64_t i = 0; i < q; ++i) {
      if (!(pick[i] > 0)) continue;
      const T up = dr.raw<T>()[row * q + i] * factor;
      double own = 0;
      for (std::int64_t j = 0; j < q; ++j) {
        const T step = smooth_step((in[j] - in[i]) * factor);
        const T slope = j == i ? T(0) : up * step * (1 - step);
        out[j] += slope;
        own += static_cast<double>(slope);
      }
      out[i] -= static_cast<T>(own);
    }
  }
}

void soft_rank_reference(Device&, const Tensor& s, const Tensor& chosen, double temperature,
                         Tensor& r) {
  serial_lines(s.dtype(), s.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    rank_rows<T>(s, chosen, temperature, r, first, last);
  });
}
void soft_rank_cpu(Device& device, const Tensor& s, const Tensor& chosen, double temperature,
                   Tensor& r) {
  threaded_lines(device, s.dim(0), s.dim(1) * 8,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   rank_rows<T>(s, chosen, temperature, r, first, last);
                 });
}
void backward_reference(Device&, const Tensor& s, const Tensor& chosen, double temperature,
                        const Tensor& dr, Tensor& ds) {
  serial_lines(s.dtype(), s.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    pull_rows<T>(s, chosen, temperature, dr, ds, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& s, const Tensor& chosen, double temperature,
                  const Tensor& dr, Tensor& ds) {
  threaded_lines(device, s.dim(0), s.dim(1) * 8,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   pull_rows<T>(s, chosen, temperature, dr, ds, first, last);
                 });
}

const bool soft_rank_added = kernel::soft_rank_fwd.add(Backend::reference, soft_rank_reference) &&
                             kernel::soft_rank_fwd.add(Backend::cpu, soft_rank_cpu) &&
                             kernel::soft_rank_bwd.add(Backend::reference, backward_reference) &&
                             kernel::soft_rank_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var soft_rank(const Var& s, const Tensor& chosen, double temperature) {
  DML_CHECK(s.rank() == 2 && chosen.shape() == s.shape() && chosen.dtype() == DType::f32,
            "soft_rank: s " + to_string(s.shape()) + " and chosen " + to_string(chosen.shape()) +
                "; [n, q] and [n, q] f32 are needed");
  return apply(SoftRank{.chosen = s.device().upload(chosen), .temperature = temperature}, s);
}

}  // namespace dml
