#include "engine/cpu/onednn.hpp"

#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/cpu/allocator.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/error.hpp"

namespace dml::cpu::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;
constexpr auto bf16 = memory::data_type::bf16;
constexpr auto nhwc = memory::format_tag::nhwc;

enum class Task : std::uint8_t { forward, backward_data, backward_weight };

/// What a primitive is built from: task, epilogue, sizes, threads.
using Key = std::array<std::int64_t, 21>;

const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

/// A primitive with the layout that it wants its weights in. Undefined when oneDNN has none.
struct Built {
  dnnl::primitive primitive{};
  memory::desc source{}, weights{}, result{}, scratch{};
  std::string implementation{};
  bool usable() const { return static_cast<bool>(primitive); }
};

/// The type of maps and weights.
memory::data_type type_of(const Convolution& v) { return v.bf16 ? bf16 : f32; }

/// [k, r, s, c] or [c, r, s, k] in the order that oneDNN counts in: k, c, r, s.
memory::desc plain_weights(const Convolution& v, WeightOrder order, memory::data_type type) {
  const memory::dims sizes{v.k, v.c, v.r, v.s};
  if (order == WeightOrder::krsc)
    return {sizes, type, memory::dims{v.r * v.s * v.c, 1, v.s * v.c, v.c}};
  return {sizes, type, memory::dims{1, v.r * v.s * v.k, v.s * v.k, v.k}};
}

struct Sides {
  memory::dims stride, dilation, before, after;
};
Sides sides_of(const Convolution& v) {
  const auto after = [](std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t pad,
                        std::int64_t reach) { return (out - 1) * stride + reach - in - pad; };
  return {{v.stride[0], v.stride[1]},
          {v.dilation[0] - 1, v.dilation[1] - 1},
          {v.pad[0], v.pad[1]},
          {after(v.h, v.oh, v.stride[0], v.pad[0], v.dilation[0] * (v.r - 1) + 1),
           after(v.w, v.ow, v.stride[1], v.pad[1], v.dilation[1] * (v.s - 1) + 1)}};
}

template <class Primitive, class Description>
Built finish(const Description& description, memory::desc source, memory::desc weights,
             memory::desc result) {
  Built built;
  const std::string name = description.impl_info_str();
  if (name.find("ref") != std::string::npos) return built;
  built.implementation = name;
  built.primitive = Primitive(description);
  built.source = std::move(source);
  built.weights = std::move(weights);
  built.result = std::move(result);
  built.scratch = description.scratchpad_desc();
  return built;
}

Built build(Task task, const Convolution& v, bool bias, const Epilogue& epilogue) {
  const memory::desc x({v.n, v.c, v.h, v.w}, type_of(v), nhwc);
  const memory::desc y({v.n, v.k, v.oh, v.ow}, type_of(v), nhwc);
  const memory::dims sizes{v.k, v.c, v.r, v.s};
  const memory::desc weights(sizes, type_of(v), memory::format_tag::any);
  const memory::desc weight_gradient(sizes, f32, memory::format_tag::any);
  const Sides at = sides_of(v);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (epilogue.add != nullptr) after.append_binary(dnnl::algorithm::binary_add, y);
  if (epilogue.relu) after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  if (after.len() > 0) attributes.set_post_ops(after);
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  const auto kind = task == Task::forward ? dnnl::prop_kind::forward_inference
                                          : dnnl::prop_kind::forward_training;
  using Forward = dnnl::convolution_forward;
  const Forward::desc operation =
      bias
          ? Forward::desc(kind, direct, x, weights, {{v.k}, f32, memory::format_tag::x}, y,
                          at.stride, at.dilation, at.before, at.after)
          : Forward::desc(kind, direct, x, weights, y, at.stride, at.dilation, at.before, at.after);
  const Forward::primitive_desc forward(operation, attributes, engine());
  if (task == Task::forward)
    return finish<Forward>(forward, forward.src_desc(), forward.weights_desc(), forward.dst_desc());
  if (task == Task::backward_data) {
    using Data = dnnl::convolution_backward_data;
    const Data::primitive_desc data(
        {direct, x, weights, y, at.stride, at.dilation, at.before, at.after}, attributes, engine(),
        forward);
    return finish<Data>(data, data.diff_dst_desc(), data.weights_desc(), data.diff_src_desc());
  }
  using Weights = dnnl::convolution_backward_weights;
  const Weights::primitive_desc gradient(
      {direct, x, weight_gradient, y, at.stride, at.dilation, at.before, at.after}, attributes,
      engine(), forward);
  return finish<Weights>(gradient, gradient.src_desc(), gradient.diff_weights_desc(),
                         gradient.diff_dst_desc());
}

/// The primitive for a task, built at its first use.
const Built& find(Task task, const Convolution& v, const Epilogue& epilogue = {}) {
  static std::mutex mutex;
  static std::map<Key, std::unique_ptr<const Built>> known;
  const bool bias = epilogue.bias != nullptr;
  const std::int64_t what = static_cast<std::int64_t>(task) + (bias ? 4 : 0) +
                            (epilogue.add != nullptr ? 8 : 0) + (epilogue.relu ? 16 : 0) +
                            (v.bf16 ? 32 : 0);
  const Key key{what,        max_threads(), v.n,      v.h,           v.w,          v.c,
                v.k,         v.r,           v.s,      v.oh,          v.ow,         v.stride[0],
                v.stride[1], v.pad[0],      v.pad[1], v.dilation[0], v.dilation[1]};
  const std::lock_guard lock(mutex);
  std::unique_ptr<const Built>& slot = known[key];
  if (!slot) {
    try {
      slot = std::make_unique<const Built>(build(task, v, bias, epilogue));
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
        throw DeviceError(std::string("oneDNN: ") + error.what());
      slot = std::make_unique<const Built>();
    }
  }
  return *slot;
}

memory on(const memory::desc& description, const void* data) {
  return {description, engine(), const_cast<void*>(data)};  // oneDNN reads inputs only
}

void run(const Built& built, std::unordered_map<int, memory> arguments) {
  std::shared_ptr<Storage> scratch;
  if (built.scratch.get_size() > 0) {
    scratch = allocate(built.scratch.get_size());
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(built.scratch, engine(), scratch->bytes));
  }
  built.primitive.execute(stream(), arguments);
  stream().wait();
}

/// Weights in another layout: a block of memory and its description.
struct Arranged {
  std::shared_ptr<Storage> storage;
  memory tensor;
};

Arranged space_for(const memory::desc& description) {
  auto storage = allocate(description.get_size());
  memory tensor(description, engine(), storage->bytes);
  return {std::move(storage), std::move(tensor)};
}

void rearrange(memory from, memory to) { dnnl::reorder(from, to).execute(stream(), from, to); }

/// The weights in the layout that a primitive wants.
Arranged arranged(const memory::desc& wanted, const memory::desc& plain, const void* data) {
  if (wanted == plain) return {nullptr, on(plain, data)};
  Arranged result = space_for(wanted);
  rearrange(on(plain, data), result.tensor);
  return result;
}

}  // namespace

bool forward(const Convolution& conv, const void* x, const void* weight, WeightOrder order,
             const Epilogue& epilogue, void* y, Kept* kept) {
  const Built& built = find(Task::forward, conv, epilogue);
  if (!built.usable()) return false;
  Arranged weights;
  if (kept != nullptr && kept->primitive == &built) {
    weights = {kept->storage, memory(built.weights, engine(), kept->storage->bytes)};
  } else {
    weights = arranged(built.weights, plain_weights(conv, order, type_of(conv)), weight);
    if (kept != nullptr && weights.storage) *kept = {weights.storage, &built};
  }
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, on(built.source, x)},
                                            {DNNL_ARG_WEIGHTS, weights.tensor},
                                            {DNNL_ARG_DST, on(built.result, y)}};
  if (epilogue.bias != nullptr)
    arguments.emplace(DNNL_ARG_BIAS, on({{conv.k}, f32, memory::format_tag::x}, epilogue.bias));
  if (epilogue.add != nullptr)
    arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                      on(built.result, epilogue.add));
  run(built, std::move(arguments));
  return true;
}

bool backward_data(const Convolution& conv, const void* dy, const void* weight, void* dx) {
  const Built& built = find(Task::backward_data, conv);
  if (!built.usable()) return false;
  const Arranged weights =
      arranged(built.weights, plain_weights(conv, WeightOrder::krsc, type_of(conv)), weight);
  run(built, {{DNNL_ARG_DIFF_DST, on(built.source, dy)},
              {DNNL_ARG_WEIGHTS, weights.tensor},
              {DNNL_ARG_DIFF_SRC, on(built.result, dx)}});
  return true;
}

bool backward_weight(const Convolution& conv, const void* x, const void* dy, float* dweight) {
  const Built& built = find(Task::backward_weight, conv);
  if (!built.usable()) return false;
  const memory::desc plain = plain_weights(conv, WeightOrder::krsc, f32);
  const bool direct = built.weights == plain;
  const Arranged gradient =
      direct ? Arranged{nullptr, on(plain, dweight)} : space_for(built.weights);
  run(built, {{DNNL_ARG_SRC, on(built.source, x)},
              {DNNL_ARG_DIFF_WEIGHTS, gradient.tensor},
              {DNNL_ARG_DIFF_DST, on(built.result, dy)}});
  if (!direct) rearrange(gradient.tensor, on(plain, dweight));
  return true;
}

std::array<std::string, 3> implementations(const Convolution& conv) {
  return {find(Task::forward, conv).implementation, find(Task::backward_data, conv).implementation,
          find(Task::backward_weight, conv).implementation};
}

bool computes_bf16() {
  const auto here = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (here & wanted) == wanted;
}

void multiply(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b,
              float beta, float* y, std::int64_t pitch) {
  const dnnl::status status =
      dnnl::sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                  a.pitch, b.data, b.pitch, beta, y, pitch);
  if (status != dnnl::status::success)
    throw DeviceError("oneDNN: a matrix product failed with status " +
                      std::to_string(static_cast<int>(status)));
}

bool multiply(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              const Matrices& a, const Matrices& b, float beta, const Matrices& y) {
  const auto view = [&](const Matrices& x, std::int64_t rows, std::int64_t columns) {
    const memory::dims strides{x.step, x.transposed ? 1 : x.pitch, x.transposed ? x.pitch : 1};
    return memory::desc({count, rows, columns}, x.bf16 ? bf16 : f32, strides);
  };
  dnnl::post_ops after;
  if (alpha != 1) after.append_eltwise(1.0F, dnnl::algorithm::eltwise_linear, alpha, 0.0F);
  if (beta != 0) after.append_sum(beta);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  try {  // oneDNN keeps what it builds by description
    const dnnl::matmul::primitive_desc description({view(a, m, k), view(b, k, n), view(y, m, n)},
                                                   attributes, engine());
    if (std::string(description.impl_info_str()).find("ref") != std::string::npos) return false;
    dnnl::matmul(description)
        .execute(stream(), {{DNNL_ARG_SRC, on(description.src_desc(), a.data)},
                            {DNNL_ARG_WEIGHTS, on(description.weights_desc(), b.data)},
                            {DNNL_ARG_DST, on(description.dst_desc(), y.data)}});
    stream().wait();
    return true;
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) return false;
    throw DeviceError(std::string("oneDNN: a matrix product: ") + error.what());
  }
}

}  // namespace dml::cpu::onednn
