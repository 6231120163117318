#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace dml::cpu {

/// How many threads the one pool of this process has. oneDNN and Faiss of Debian run on OpenMP
/// (libgomp), so this pool is OpenMP's too: a second pool beside it would fight for the cores.
int max_threads();
/// Sets the size of the pool, for our loops, oneDNN and Faiss alike.
void set_threads(int threads);

namespace detail {
using Task = void (*)(void* context, std::int64_t first, std::int64_t last);
/// Runs task on `parts` threads; used by parallel_for alone.
void run(int parts, std::int64_t n, void* context, Task task);
}  // namespace detail

/// Calls body(first, last) for consecutive parts of [0, n), each on a thread of its own. The parts
/// depend on (threads, n, grain) alone, so reductions in part order repeat bit for bit. A part has
/// at least `grain` elements; with one part no thread is woken. Exceptions must not leave body.
template <class Body>
void parallel_for(int threads, std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return;
  const std::int64_t most = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const int parts = static_cast<int>(std::min<std::int64_t>(threads, most));
  if (parts <= 1) {
    body(std::int64_t{0}, n);
    return;
  }
  detail::run(parts, n, &body, [](void* context, std::int64_t first, std::int64_t last) {
    (*static_cast<std::remove_reference_t<Body>*>(context))(first, last);
  });
}

/// The same with the number of the part, for partial results: body(part, first, last). Returns how
/// many parts there were (at most threads).
template <class Body>
int parallel_parts(int threads, std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return 0;
  const std::int64_t most = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const int parts = static_cast<int>(std::min<std::int64_t>(threads, most));
  parallel_for(parts, parts, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p)
      body(static_cast<int>(p), n * p / parts, n * (p + 1) / parts);
  });
  return parts;
}

}  // namespace dml::cpu
