#include "engine/cpu/parallel.hpp"

#ifdef DML_OWN_THREADS
#include <atomic>
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif

namespace dml::cpu {

#ifdef DML_OWN_THREADS
// For sanitizers: OpenMP's runtime is not compiled with them, so that they would neither see which
// thread waits for which nor what two threads do to each other.
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{
      static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  return count;
}
thread_local bool inside = false;

}  // namespace

int max_threads() { return thread_count(); }
void set_threads(int threads) { thread_count() = threads; }

namespace detail {

void run(int parts, std::int64_t n, void* context, Task task) {
  const auto part = [=](int i) { task(context, n * i / parts, n * (i + 1) / parts); };
  std::vector<std::thread> threads;
  for (int i = 1; i < parts && !inside; ++i)
    threads.emplace_back([=] {
      inside = true;
      part(i);
    });
  const bool nested = inside;  // as OpenMP: a loop within a loop runs on its own thread
  inside = true;
  for (int i = 0; i < (nested ? parts : 1); ++i) part(i);
  inside = nested;
  for (std::thread& one : threads) one.join();
}

}  // namespace detail
#else
int max_threads() { return omp_get_max_threads(); }

void set_threads(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
}

namespace detail {

void run(int parts, std::int64_t n, void* context, Task task) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) task(context, n * part / parts, n * (part + 1) / parts);
}

}  // namespace detail
#endif
}  // namespace dml::cpu
