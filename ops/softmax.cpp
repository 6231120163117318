#include "ops/softmax.hpp"

#include <limits>

#include "ops/lines.hpp"

namespace dml {
namespace {

/// dx = (y (dy - <y, dy>)) / temperature, or with log: (dy - exp(y) sum(dy)) / temperature
template <bool log> struct Softmax {
  Axis view;
  double scale;
  Tensor y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    (log ? kernel::log_softmax_fwd : kernel::softmax_fwd)(device, x, view, scale, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(y.shape(), y.dtype());
    (log ? kernel::log_softmax_bwd : kernel::softmax_bwd)(device, y, view, scale, device.dense(dy),
                                                          dx);
    return {dx};
  }
};

/// dx = dy * exp(x - y)
struct LogSumExp {
  Axis view;
  Shape result;
  Tensor x{}, y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    y = device.empty(result, x.dtype());
    kernel::logsumexp_fwd(device, x, view, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::logsumexp_bwd(device, x, y, view, device.dense(dy), dx);
    return {dx};
  }
};

/// The bodies of the kernels over lines [first, last) of a view.
template <class T> struct Lines {
  const Axis& view;
  std::int64_t first, last;

  template <class Body> void each(Body body) const {
    if (view.length == 0) return;
    const SoftmaxLine line{view.length, view.inner};
    for (std::int64_t i = first; i < last; ++i) body(line, i, view.start(i));
  }
  void softmax(const Tensor& x, double scale, Tensor& y) const {
    each([&](const SoftmaxLine& line, std::int64_t, std::int64_t at) {
      line.softmax(x.raw<T>() + at, T(scale), y.raw<T>() + at);
    });
  }
  void softmax_gradient(const Tensor& y, double scale, const Tensor& dy, Tensor& dx) const {
    each([&](const SoftmaxLine& line, std::int64_t, std::int64_t at) {
      line.softmax_gradient(y.raw<T>() + at, dy.raw<T>() + at, T(scale), dx.raw<T>() + at);
    });
  }
  void log_softmax(const Tensor& x, double scale, Tensor& y) const {
    each([&](const SoftmaxLine& line, std::int64_t, std::int64_t at) {
      line.log_softmax(x.raw<T>() + at, T(scale), y.raw<T>() + at);
    });
  }
  void log_softmax_gradient(const Tensor& y, double scale, const Tensor& dy, Tensor& dx) const {
    each([&](const SoftmaxLine& line, std::int64_t, std::int64_t at) {
      line.log_softmax_gradient(y.raw<T>() + at, dy.raw<T>() + at, T(scale), dx.raw<T>() + at);
    });
  }
  void logsumexp(const Tensor& x, Tensor& y) const {
    if (view.length == 0)
      for (std::int64_t i = first; i < last; ++i)
        y.raw<T>()[i] = -std::numeric_limits<T>::infinity();
    each([&](const SoftmaxLine& line, std::int64_t i, std::int64_t at) {
      y.raw<T>()[i] = line.log_sum(x.raw<T>() + at, T(1)).whole(T(1));
    });
  }
  void logsumexp_gradient(const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) const {
    each([&](const SoftmaxLine& line, std::int64_t i, std::int64_t at) {
      const T total = y.raw<T>()[i], up = dy.raw<T>()[i];
      const bool nothing = total == -std::numeric_limits<T>::infinity();
      for (std::int64_t k = 0; k < line.n; ++k) {
        const std::int64_t j = at + k * line.step;
        dx.raw<T>()[j] = nothing ? T(0) : up * std::exp(x.raw<T>()[j] - total);
      }
    });
  }
};

void softmax_fwd_reference(Device&, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.softmax(x, scale, y);
  });
}
void softmax_fwd_cpu(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.softmax(x, scale, y);
                 });
}

void softmax_bwd_reference(Device&, const Tensor& y, const Axis& view, double scale,
                           const Tensor& dy, Tensor& dx) {
  serial_lines(y.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.softmax_gradient(y, scale, dy, dx);
  });
}
void softmax_bwd_cpu(Device& device, const Tensor& y, const Axis& view, double scale,
                     const Tensor& dy, Tensor& dx) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.softmax_gradient(y, scale, dy, dx);
                 });
}

void log_softmax_fwd_reference(Device&, const Tensor& x, const Axis& view, double scale,
                               Tensor& y) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.log_softmax(x, scale, y);
  });
}
void log_softmax_fwd_cpu(Device& device, const Tensor& x, const Axis& view, double scale,
                         Tensor& y) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.log_softmax(x, scale, y);
                 });
}

void log_softmax_bwd_reference(Device&, const Tensor& y, const Axis& view, double scale,
                               const Tensor& dy, Tensor& dx) {
  serial_lines(y.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.log_softmax_gradient(y, scale, dy, dx);
  });
}
void log_softmax_bwd_cpu(Device& device, const Tensor& y, const Axis& view, double scale,
                         const Tensor& dy, Tensor& dx) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.log_softmax_gradient(y, scale, dy, dx);
                 });
}

void logsumexp_fwd_reference(Device&, const Tensor& x, const Axis& view, Tensor& y) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.logsumexp(x, y);
  });
}
void logsumexp_fwd_cpu(Device& device, const Tensor& x, const Axis& view, Tensor& y) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.logsumexp(x, y);
                 });
}

void logsumexp_bwd_reference(Device&, const Tensor& x, const Tensor& y, const Axis& view,
                             const Tensor& dy, Tensor& dx) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    Lines<T>{view, first, last}.logsumexp_gradient(x, y, dy, dx);
  });
}
void logsumexp_bwd_cpu(Device& device, const Tensor& x, const Tensor& y, const Axis& view,
                       const Tensor& dy, Tensor& dx) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   Lines<T>{view, first, last}.logsumexp_gradient(x, y, dy, dx);
                 });
}

const bool softmax_added =
    kernel::softmax_fwd.add(Backend::reference, softmax_fwd_reference) &&
    kernel::softmax_fwd.add(Backend::cpu, softmax_fwd_cpu) &&
    kernel::softmax_bwd.add(Backend::reference, softmax_bwd_reference) &&
    kernel::softmax_bwd.add(Backend::cpu, softmax_bwd_cpu) &&
    kernel::log_softmax_fwd.add(Backend::reference, log_softmax_fwd_reference) &&
    kernel::log_softmax_fwd.add(Backend::cpu, log_softmax_fwd_cpu) &&
    kernel::log_softmax_bwd.add(Backend::reference, log_softmax_bwd_reference) &&
    kernel::log_softmax_bwd.add(Backend::cpu, log_softmax_bwd_cpu) &&
    kernel::logsumexp_fwd.add(Backend::reference, logsumexp_fwd_reference) &&
    kernel::logsumexp_fwd.add(Backend::cpu, logsumexp_fwd_cpu) &&
    kernel::logsumexp_bwd.add(Backend::reference, logsumexp_bwd_reference) &&
    kernel::logsumexp_bwd.add(Backend::cpu, logsumexp_bwd_cpu);

double inverse(double temperature, const char* op) {
  if (!(temperature > 0))
    throw UsageError(std::string(op) + ": temperature " + std::to_string(temperature) +
                     "; it must be above 0");
  return 1 / temperature;
}

}  // namespace

Var softmax(const Var& x, double temperature, int axis) {
  return apply(Softmax<false>{axis_of(x.shape(), axis, "softmax"), inverse(temperature, "softmax")},
               x);
}

Var log_softmax(const Var& x, double temperature, int axis) {
  return apply(
      Softmax<true>{axis_of(x.shape(), axis, "log_softmax"), inverse(temperature, "log_softmax")},
      x);
}

Var logsumexp(const Var& x, int axis, bool keep) {
  const Axis view = axis_of(x.shape(), axis, "logsumexp");
  return apply(LogSumExp{view, without_axis(x.shape(), axis, keep)}, x);
}

}  // namespace dml
