#pragma once
#include <cstdio>
#include <cstdlib>

#include "engine/error.hpp"

/// For what a caller can get wrong: always on, throws ShapeError with the text.
#define DML_CHECK(condition, text)                   \
  do {                                               \
    if (!(condition)) throw ::dml::ShapeError(text); \
  } while (false)

/// For what only this file can get wrong: debug builds, aborts.
#ifdef NDEBUG
#define DML_ASSERT(condition) static_cast<void>(0)
#else
#define DML_ASSERT(condition)                                                                \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
#endif

/// Marks a place that control never reaches.
#define DML_UNREACHABLE() __builtin_unreachable()

/// Functions that both the host and a CUDA kernel may call.
#ifdef __CUDACC__
#define DML_HOST_DEVICE __host__ __device__
#else
#define DML_HOST_DEVICE
#endif
