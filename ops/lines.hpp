#pragma once
#include <algorithm>

#include "engine/cpu/parallel.hpp"
#include "engine/device.hpp"

namespace dml {

/// Calls body.operator()<T>(0, n) with the element type of the tensors: the form of a reference
/// kernel over n independent lines.
template <class Body> void serial_lines(DType type, std::int64_t n, Body&& body) {
  visit_float(type, [&]<class T>() { body.template operator()<T>(std::int64_t{0}, n); });
}

/// Calls body.operator()<float>(first, last) for parts of [0, n) on the threads of the device: the
/// form of a cpu kernel. Lines are independent, so any number of threads gives the same bits.
/// @param work  of one line, in elements read: parts below 8192 wake no thread.
template <class Body>
void threaded_lines(const Device& device, std::int64_t n, std::int64_t work, Body&& body) {
  const std::int64_t grain = 1 + (1 << 13) / std::max<std::int64_t>(1, work);
  cpu::parallel_for(device.threads(), n, grain, [&](std::int64_t first, std::int64_t last) {
    body.template operator()<float>(first, last);
  });
}

/// The two in one, for kernels whose lines are worth no code of their own for the processor: one
/// function fills both slots. Calls body.operator()<T>(first, last) for parts of [0, n), on the
/// threads of a cpu device, and for all at once on the reference backend.
template <class Body>
void all_lines(const Device& device, DType type, std::int64_t n, std::int64_t work, Body&& body) {
  if (device.backend() == Backend::cpu && type == DType::f32) {
    threaded_lines(device, n, work, body);
  } else {
    serial_lines(type, n, body);
  }
}

}  // namespace dml
