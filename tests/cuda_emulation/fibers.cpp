#include "tests/cuda_emulation/fibers.hpp"

#include <ucontext.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace dml::emulation {
namespace {

constexpr std::size_t stack_size = std::size_t{128} << 10U;

/// One thread of a block with a stack of its own.
struct Fiber {
  ucontext_t context{};
  std::vector<char> stack = std::vector<char>(stack_size);
  dim3 index;
  const char* waits_at = nullptr;
  bool done = false;
};

ucontext_t scheduler;
Fiber* running = nullptr;
const std::function<void()>* body = nullptr;
std::array<std::array<char, 64>, 1024> exchanged;

void enter() {
  (*body)();
  running->done = true;
  swapcontext(&running->context, &scheduler);
}

void resume(Fiber& fiber) {
  running = &fiber;
  threadIdx = fiber.index;
  swapcontext(&scheduler, &fiber.context);
}

void start(Fiber& fiber, dim3 index) {
  fiber.index = index;
  fiber.done = false;
  fiber.waits_at = nullptr;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.data();
  fiber.context.uc_stack.ss_size = fiber.stack.size();
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, enter, 0);
  resume(fiber);
}

/// All fibers that wait go on to their next barrier; they must be all threads, at one barrier.
void go_on(std::vector<Fiber*>& waiting, std::size_t threads) {
  while (!waiting.empty()) {
    if (waiting.size() != threads)
      throw std::logic_error("CUDA emulation: some threads of a block ended, others wait at " +
                             std::string(waiting[0]->waits_at));
    for (const Fiber* fiber : waiting)
      if (std::string(fiber->waits_at) != waiting[0]->waits_at)
        throw std::logic_error("CUDA emulation: threads of a block wait at different barriers");
    std::vector<Fiber*> next;
    for (Fiber* fiber : waiting) {
      resume(*fiber);
      if (!fiber->done) next.push_back(fiber);
    }
    waiting = std::move(next);
  }
}

}  // namespace

void barrier(const char* kind) {
  running->waits_at = kind;
  swapcontext(&running->context, &scheduler);
}

void* exchange(unsigned thread) { return exchanged.at(thread).data(); }

unsigned thread_number() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

void run_grid(dim3 grid, dim3 block, const std::function<void()>& thread) {
  static std::vector<std::unique_ptr<Fiber>> pool;
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || grid.x == 0 || grid.y == 0 || grid.y > 65535)
    throw std::logic_error("CUDA emulation: a grid that no GPU takes");
  gridDim = grid;
  blockDim = block;
  body = &thread;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
        std::vector<Fiber*> waiting;
        for (std::size_t t = 0; t < threads; ++t) {
          // A thread that waits keeps its fiber; one that ended left it to the next.
          if (waiting.size() == pool.size()) pool.push_back(std::make_unique<Fiber>());
          Fiber& fiber = *pool[waiting.size()];
          const auto number = static_cast<unsigned>(t);
          start(fiber, {number % block.x, number / block.x % block.y, number / block.x / block.y});
          if (!fiber.done) waiting.push_back(&fiber);
        }
        go_on(waiting, threads);
      }
}

}  // namespace dml::emulation
