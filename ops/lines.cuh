#pragma once
#include "engine/cuda/reduce.cuh"
#include "ops/axis.hpp"

namespace dml::cuda {

/// Work on the lines of a view (see Axis). Packed lines are each given to a block: block(line), as
/// in for_each_row. Lines with a step are each given to a thread, neighbours side by side:
/// thread(line, offset of its first element).
template <class Block, class Thread>
void over_lines(Context& context, const Axis& view, const Block& block, const Thread& thread,
                Where where = Where::here()) {
  const Axis v = view;
  if (view.inner == 1) {
    for_each_row(context, view.outer, view.length, block, where);
  } else {
    for_each(
        context, view.lines(), [=] __device__(std::int64_t line) { thread(line, v.start(line)); },
        where);
  }
}

}  // namespace dml::cuda
