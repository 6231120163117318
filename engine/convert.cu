#include "engine/convert_kernel.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

template <class From, class To>
void elements(cuda::Context& context, const Tensor& from, Tensor& to) {
  const From* in = from.raw<From>();
  To* out = to.raw<To>();
  const auto one = [] __host__ __device__(From value) {
    return static_cast<To>(static_cast<Work<To>>(static_cast<Work<From>>(value)));
  };
  if (from.packed() && to.packed()) {
    cuda::for_each(context, to.size(), [=] __device__(std::int64_t i) { out[i] = one(in[i]); });
    return;
  }
  const std::int64_t in_pitch = from.pitch(), out_pitch = to.pitch();
  cuda::for_each_cell(context, to.row_count(), to.row_length(),
                      [=] __device__(std::int64_t r, std::int64_t c) {
                        out[r * out_pitch + c] = one(in[r * in_pitch + c]);
                      });
}

void convert(Device& device, const Tensor& from, Tensor& to) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(from.dtype(), [&]<class From>() {
    visit_stored(to.dtype(), [&]<class To>() { elements<From, To>(context, from, to); });
  });
}

const bool convert_added =
    kernel::convert.add(Backend::cuda, convert) && kernel::convert.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
