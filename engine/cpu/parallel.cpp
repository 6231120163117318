#include "engine/cpu/parallel.hpp"

#include <omp.h>

namespace dml::cpu {

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
}  // namespace dml::cpu
