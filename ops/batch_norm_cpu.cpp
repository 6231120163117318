#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/cpu/parallel.hpp"
#include "ops/batch_norm.hpp"

namespace dml {
namespace {

/// Rows whose sums are kept in f32 before they are added up in f64: short enough for an error
/// below 1e-6, long enough for the f64 additions not to count.
constexpr std::int64_t run_length = 32;
/// Channels handled together: a run of them stays in the first-level cache.
constexpr std::int64_t strip = 128;

/// Rows that make waking a thread worth it.
std::int64_t grain_of(std::int64_t channels) { return 1 + (1 << 14) / (channels + 1); }

/// A run of rows in a strip of channels.
struct Run {
  std::int64_t first, last, channel, width;
};

struct Sums {
  std::vector<double> a, b;
};

/// Two sums per channel over all rows. add(run, a, b) adds those of a run to a and b, which stand
/// at the run's first channel. Parts of the rows go to threads, and their results are added in the
/// order of the parts: the same bits for the same number of threads.
template <class Add>
Sums sum_runs(int threads, std::int64_t rows, std::int64_t channels, const Add& add) {
  const auto width = static_cast<std::size_t>(channels);
  std::vector<double> a(width * static_cast<std::size_t>(threads)), b(a.size());
  const int parts = cpu::parallel_parts(
      threads, rows, grain_of(channels), [&](int part, std::int64_t first, std::int64_t last) {
        double* part_a = a.data() + static_cast<std::size_t>(part) * width;
        double* part_b = b.data() + static_cast<std::size_t>(part) * width;
        for (std::int64_t r = first; r < last; r += run_length)
          for (std::int64_t c = 0; c < channels; c += strip)
            add(Run{r, std::min(r + run_length, last), c, std::min(strip, channels - c)},
                part_a + c, part_b + c);
      });
  for (int part = 1; part < parts; ++part)
    for (std::size_t c = 0; c < width; ++c) {
      a[c] += a[static_cast<std::size_t>(part) * width + c];
      b[c] += b[static_cast<std::size_t>(part) * width + c];
    }
  a.resize(width);
  b.resize(width);
  return {std::move(a), std::move(b)};
}

/// Calls body(first row, last row) on the threads.
template <class Body> void over_rows(Device& device, const Tensor& x, Body body) {
  cpu::parallel_for(device.threads(), x.row_count(), grain_of(x.row_length()), body);
}

/// Per channel: y = (x - center) scale + shift. Subtracting first keeps a mean that is large beside
/// the deviation from costing digits.
struct Affine {
  const float* center;
  std::vector<float> scale, shift;

  /// @param rest  what the true mean has beyond `mean`, which is rounded to f32; may be empty.
  Affine(const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& inv_std,
         const std::vector<double>& rest)
      : center(mean.raw<float>()),
        scale(static_cast<std::size_t>(mean.size())),
        shift(scale.size()) {
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const double gain = weight.defined() ? static_cast<double>(weight.raw<float>()[c]) : 1.0;
      const double base = bias.defined() ? static_cast<double>(bias.raw<float>()[c]) : 0.0;
      const double factor = gain * static_cast<double>(inv_std.raw<float>()[c]);
      scale[c] = static_cast<float>(factor);
      shift[c] = static_cast<float>(base - (rest.empty() ? 0.0 : rest[c] * factor));
    }
  }
};

/// y = relu((x - center) scale + shift + add) for rows [first, last).
template <class T, bool relu, bool has_add>
void scale_rows(const Tensor& x, const Tensor& add, const Affine& by, Tensor& y, std::int64_t first,
                std::int64_t last) {
  const std::int64_t channels = x.row_length();
  const float *center = by.center, *scale = by.scale.data(), *shift = by.shift.data();
  for (std::int64_t r = first; r < last; ++r) {
    const T* from = x.raw<T>() + r * x.pitch();
    const T* more = has_add ? add.raw<T>() + r * add.pitch() : nullptr;
    T* to = y.raw<T>() + r * y.pitch();
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      float value = (static_cast<float>(from[c]) - center[c]) * scale[c] + shift[c];
      if constexpr (has_add) value += static_cast<float>(more[c]);
      if constexpr (relu) value = value < 0 ? 0.0F : value;
      to[c] = static_cast<T>(value);
    }
  }
}

template <class T>
void apply_affine(Device& device, const Tensor& x, const Tensor& add, const Affine& by, bool relu,
                  Tensor& y) {
  over_rows(device, x, [&](std::int64_t first, std::int64_t last) {
    const auto rows = [&]<bool r, bool a>() { scale_rows<T, r, a>(x, add, by, y, first, last); };
    if (add.defined()) {
      relu ? rows.template operator()<true, true>() : rows.template operator()<false, true>();
    } else {
      relu ? rows.template operator()<true, false>() : rows.template operator()<false, false>();
    }
  });
}

void apply_given(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Tensor& add, const Tensor& mean, const Tensor& inv_std, bool relu,
                 Tensor& y) {
  const Affine by(weight, bias, mean, inv_std, {});
  visit_narrow(x.dtype(), [&]<class T>() { apply_affine<T>(device, x, add, by, relu, y); });
}

void move(Tensor& running, std::size_t c, double momentum, double batch) {
  if (!running.defined()) return;
  float& value = running.raw<float>()[c];
  value = static_cast<float>((1 - momentum) * static_cast<double>(value) + momentum * batch);
}

/// Adds the sums of d = x - origin and of d^2. Within a run the squares are taken about the run's
/// own mean m, so that f32 never subtracts large squares:  sum d^2 = sum (d - m)^2 + 2 m sum d - n
/// m^2.
template <class T>
void add_moments(const Tensor& x, const Run& run, double* total, double* squares) {
  alignas(64) float a[strip] = {}, b[strip] = {}, m[strip], origin[strip];
  const T* start = x.raw<T>() + run.channel;
  for (std::int64_t c = 0; c < run.width; ++c) origin[c] = static_cast<float>(start[c]);
  const std::int64_t width = run.width, rows = run.last - run.first;
  for (std::int64_t r = run.first; r < run.last; ++r) {
    const T* row = start + r * x.pitch();
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) a[c] += static_cast<float>(row[c]) - origin[c];
  }
  for (std::int64_t c = 0; c < width; ++c) m[c] = a[c] / static_cast<float>(rows);
  for (std::int64_t r = run.first; r < run.last; ++r) {
    const T* row = start + r * x.pitch();
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      const float d = static_cast<float>(row[c]) - origin[c] - m[c];
      b[c] += d * d;
    }
  }
  for (std::int64_t c = 0; c < width; ++c) {
    const auto sum = static_cast<double>(a[c]), center = static_cast<double>(m[c]);
    total[c] += sum;
    squares[c] +=
        static_cast<double>(b[c]) + center * (2 * sum - static_cast<double>(rows) * center);
  }
}

template <class T>
void train_on(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& add, const BatchNormOptions& options, RunningStatistics& running,
              Tensor& mean, Tensor& inv_std, Tensor& y) {
  const T* origin = x.raw<T>();
  const Sums sums =
      sum_runs(device.threads(), x.row_count(), x.row_length(),
               [&](const Run& run, double* a, double* b) { add_moments<T>(x, run, a, b); });
  const auto rows = static_cast<double>(x.row_count());
  std::vector<double> rest(sums.a.size());
  for (std::size_t c = 0; c < sums.a.size(); ++c) {
    const double shift = sums.a[c] / rows;
    const double average = static_cast<double>(static_cast<float>(origin[c])) + shift;
    const double squares = std::max(0.0, sums.b[c] - sums.a[c] * shift);
    mean.raw<float>()[c] = static_cast<float>(average);
    rest[c] = average - static_cast<double>(mean.raw<float>()[c]);
    inv_std.raw<float>()[c] = static_cast<float>(1 / std::sqrt(squares / rows + options.eps));
    move(running.mean, c, options.momentum, average);
    move(running.variance, c, options.momentum, squares / (rows - 1));
  }
  if (running.batches.defined()) ++*running.batches.raw<std::int64_t>();
  apply_affine<T>(device, x, add, Affine(weight, bias, mean, inv_std, rest), options.relu, y);
}

void train(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
           const Tensor& add, const BatchNormOptions& options, RunningStatistics& running,
           Tensor& mean, Tensor& inv_std, Tensor& y) {
  visit_narrow(x.dtype(), [&]<class T>() {
    train_on<T>(device, x, weight, bias, add, options, running, mean, inv_std, y);
  });
}

/// What the backward pass reads.
struct Upstream {
  const Tensor &x, &y, &dy;
  const float* mean;
};

/// Adds the sums of g and g (x - mean), where g = dy, or 0 where relu cut y off.
template <class T, bool relu>
void add_gradients(const Upstream& up, const Run& run, double* total, double* along) {
  alignas(64) float a[strip] = {}, b[strip] = {};
  const float* mean = up.mean + run.channel;
  const std::int64_t width = run.width;
  for (std::int64_t r = run.first; r < run.last; ++r) {
    const T* x = up.x.raw<T>() + r * up.x.pitch() + run.channel;
    const T* dy = up.dy.raw<T>() + r * up.dy.pitch() + run.channel;
    const T* y = relu ? up.y.raw<T>() + r * up.y.pitch() + run.channel : nullptr;
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      auto g = static_cast<float>(dy[c]);
      if constexpr (relu) g = static_cast<float>(y[c]) > 0 ? g : 0.0F;
      a[c] += g;
      b[c] += g * (static_cast<float>(x[c]) - mean[c]);
    }
  }
  for (std::int64_t c = 0; c < width; ++c) {
    total[c] += static_cast<double>(a[c]);
    along[c] += static_cast<double>(b[c]);
  }
}

/// dx = by_g g - by_x (x - mean) - constant
struct Coefficients {
  std::vector<float> by_g, by_x, constant;
};

/// dx and dadd = g; dx may be x or dy, dadd may be dy.
template <class T, bool relu, bool has_dx, bool has_dadd>
void write_gradients(const Upstream& up, const Coefficients& k, Tensor& dx, Tensor& dadd,
                     std::int64_t first, std::int64_t last) {
  const std::int64_t channels = up.x.row_length();
  const float *by_g = k.by_g.data(), *by_x = k.by_x.data(), *constant = k.constant.data();
  for (std::int64_t r = first; r < last; ++r) {
    const T* x = up.x.raw<T>() + r * up.x.pitch();
    const T* dy = up.dy.raw<T>() + r * up.dy.pitch();
    const T* y = relu ? up.y.raw<T>() + r * up.y.pitch() : nullptr;
    T* to = has_dx ? dx.raw<T>() + r * dx.pitch() : nullptr;
    T* more = has_dadd ? dadd.raw<T>() + r * dadd.pitch() : nullptr;
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      auto g = static_cast<float>(dy[c]);
      if constexpr (relu) g = static_cast<float>(y[c]) > 0 ? g : 0.0F;
      const float z = static_cast<float>(x[c]) - up.mean[c];
      if constexpr (has_dx) to[c] = static_cast<T>(by_g[c] * g - (by_x[c] * z + constant[c]));
      if constexpr (has_dadd) more[c] = static_cast<T>(g);
    }
  }
}

Coefficients finish(const Sums& sums, std::int64_t rows, const Tensor& weight,
                    const Tensor& inv_std, bool batch_statistics, Tensor& dweight, Tensor& dbias) {
  const std::size_t channels = sums.a.size();
  Coefficients k{std::vector<float>(channels), std::vector<float>(channels),
                 std::vector<float>(channels)};
  const double share = batch_statistics ? 1 / static_cast<double>(rows) : 0.0;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto scale = static_cast<double>(inv_std.raw<float>()[c]);
    const double gain = weight.defined() ? static_cast<double>(weight.raw<float>()[c]) : 1.0;
    k.by_g[c] = static_cast<float>(gain * scale);
    k.by_x[c] = static_cast<float>(gain * scale * scale * scale * sums.b[c] * share);
    k.constant[c] = static_cast<float>(gain * scale * sums.a[c] * share);
    if (dweight.defined()) dweight.raw<float>()[c] = static_cast<float>(sums.b[c] * scale);
    if (dbias.defined()) dbias.raw<float>()[c] = static_cast<float>(sums.a[c]);
  }
  return k;
}

template <class T>
void backward_on(Device& device, const Tensor& x, const Tensor& y, const Tensor& weight,
                 const Tensor& mean, const Tensor& inv_std, const BatchNormOptions& options,
                 const Tensor& dy, Tensor& dx, Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  const Upstream up{x, y, dy, mean.raw<float>()};
  Sums sums{std::vector<double>(static_cast<std::size_t>(x.row_length())), {}};
  sums.b = sums.a;
  if (dweight.defined() || dbias.defined() || (dx.defined() && options.batch_statistics))
    sums = sum_runs(device.threads(), x.row_count(), x.row_length(),
                    [&](const Run& run, double* a, double* b) {
                      options.relu ? add_gradients<T, true>(up, run, a, b)
                                   : add_gradients<T, false>(up, run, a, b);
                    });
  const Coefficients k =
      finish(sums, x.row_count(), weight, inv_std, options.batch_statistics, dweight, dbias);
  // Without a mask the gradient of the addend is dy itself, which may already stand there.
  const bool has_dadd = dadd.defined() && (options.relu || dadd.raw<T>() != dy.raw<T>());
  if (!dx.defined() && !has_dadd) return;
  over_rows(device, x, [&](std::int64_t first, std::int64_t last) {
    const auto rows = [&]<bool r>() {
      if (!has_dadd) return write_gradients<T, r, true, false>(up, k, dx, dadd, first, last);
      if (!dx.defined()) return write_gradients<T, r, false, true>(up, k, dx, dadd, first, last);
      write_gradients<T, r, true, true>(up, k, dx, dadd, first, last);
    };
    options.relu ? rows.template operator()<true>() : rows.template operator()<false>();
  });
}

void backward(Device& device, const Tensor& x, const Tensor& y, const Tensor& weight,
              const Tensor& mean, const Tensor& inv_std, const BatchNormOptions& options,
              const Tensor& dy, Tensor& dx, Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  visit_narrow(x.dtype(), [&]<class T>() {
    backward_on<T>(device, x, y, weight, mean, inv_std, options, dy, dx, dadd, dweight, dbias);
  });
}

const bool batch_norm_cpu_added = kernel::batch_norm_train.add(Backend::cpu, train) &&
                                  kernel::batch_norm_apply.add(Backend::cpu, apply_given) &&
                                  kernel::batch_norm_bwd.add(Backend::cpu, backward) &&
                                  kernel::batch_norm_train.takes_bf16(Backend::cpu) &&
                                  kernel::batch_norm_apply.takes_bf16(Backend::cpu) &&
                                  kernel::batch_norm_bwd.takes_bf16(Backend::cpu);

}  // namespace
}  // namespace dml
