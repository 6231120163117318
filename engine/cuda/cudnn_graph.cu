#include <algorithm>

#include "engine/cuda/cudnn_graph.cuh"
#include "engine/error.hpp"

namespace dml::cuda {
namespace {

constexpr std::int64_t workspace_cap = std::int64_t{1} << 30U;

/// Names of the tensors in a graph.
enum Uid : std::int64_t { uid_x = 1, uid_weight, uid_y, uid_bias, uid_residual, uid_virtual = 100 };

cudnnDataType_t type_of(DType type) {
  if (type == DType::f32) return CUDNN_DATA_FLOAT;
  if (type == DType::bf16) return CUDNN_DATA_BFLOAT16;
  throw TypeError(std::string("conv2d on cuda takes f32 or bf16, not ") + name_of(type));
}

/// cuDNN's words for the error that this thread met last.
std::string last_words() {
  std::array<char, 512> text{};
  cudnnGetLastErrorString(text.data(), text.size());
  return text.data();
}

/// Describes a channels-last tensor; cuDNN wants sizes in the order n, c, h, w.
Descriptor tensor(std::int64_t uid, const std::array<std::int64_t, 4>& nhwc, cudnnDataType_t type,
                  std::int64_t alignment, bool is_virtual = false) {
  const auto [n, h, w, c] = nhwc;
  const std::array<std::int64_t, 4> sizes{n, c, h, w};
  const std::array<std::int64_t, 4> strides{h * w * c, 1, w * c, c};
  Descriptor result(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  result.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, uid);
  result.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  result.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, sizes.data());
  result.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides.data());
  result.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  result.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
  result.finalize("tensor");
  return result;
}

Descriptor window(const ConvolutionKey& key) {
  Descriptor result(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  result.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  result.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  result.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  result.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, key.pad.data());
  result.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, key.pad.data());
  result.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, key.stride.data());
  result.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, key.dilation.data());
  result.finalize("convolution window");
  return result;
}

Descriptor pointwise(cudnnPointwiseMode_t mode) {
  Descriptor result(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  result.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  result.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  result.finalize("pointwise");
  return result;
}

/// The nodes of a graph. cuDNN reads the parts of a node when it is finalized, but they are kept
/// until the graph is done.
struct Nodes {
  std::vector<Descriptor> parts;
  std::vector<Descriptor> operations;

  const Descriptor& keep(Descriptor part) { return parts.emplace_back(std::move(part)); }
};

void add_convolution(Nodes& nodes, const ConvolutionKey& key, const Descriptor& x,
                     const Descriptor& weight, const Descriptor& y) {
  struct Names {
    cudnnBackendDescriptorType_t operation;
    cudnnBackendAttributeName_t window, x, weight, y, alpha, beta;
  };
  static constexpr std::array<Names, 3> table{{
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
  }};
  const Names& names = table[static_cast<std::size_t>(key.kind)];
  const float one = 1, zero = 0;
  Descriptor node(names.operation);
  node.set(names.window, nodes.keep(window(key)));
  node.set(names.x, x);
  node.set(names.weight, weight);
  node.set(names.y, y);
  node.set(names.alpha, CUDNN_TYPE_FLOAT, 1, &one);
  node.set(names.beta, CUDNN_TYPE_FLOAT, 1, &zero);
  node.finalize("convolution");
  nodes.operations.push_back(std::move(node));
}

/// to = mode(from, with); `with` is null for a mode of one operand.
void add_pointwise(Nodes& nodes, cudnnPointwiseMode_t mode, const Descriptor& from,
                   const Descriptor* with, const Descriptor& to) {
  Descriptor node(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  node.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, nodes.keep(pointwise(mode)));
  node.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
  if (with != nullptr) node.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *with);
  node.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
  node.finalize("pointwise node");
  nodes.operations.push_back(std::move(node));
}

/// conv, then as the key says + residual, + bias, relu; only the last result is stored.
void build(Nodes& nodes, const ConvolutionKey& key) {
  nodes.parts.reserve(32);  // references to parts stay valid
  const cudnnDataType_t type = type_of(key.type);
  const auto stored = [&](std::int64_t uid,
                          const std::array<std::int64_t, 4>& sizes) -> const Descriptor& {
    return nodes.keep(tensor(uid, sizes, type, key.alignment));
  };
  const Descriptor& x = stored(uid_x, key.x);
  const Descriptor& weight = stored(uid_weight, key.weight);
  const Descriptor& y = stored(uid_y, key.y);
  int left = int{key.residual} + int{key.bias} + int{key.relu};
  std::int64_t next_uid = uid_virtual;
  const auto result = [&]() -> const Descriptor& {
    if (left-- == 0) return y;
    return nodes.keep(tensor(next_uid++, key.y, CUDNN_DATA_FLOAT, key.alignment, true));
  };
  const Descriptor* at = &result();
  add_convolution(nodes, key, x, weight, *at);
  const auto then = [&](cudnnPointwiseMode_t mode, const Descriptor* with) {
    const Descriptor& to = result();
    add_pointwise(nodes, mode, *at, with, to);
    at = &to;
  };
  if (key.residual) then(CUDNN_POINTWISE_ADD, &stored(uid_residual, key.y));
  if (key.bias) then(CUDNN_POINTWISE_ADD, &stored(uid_bias, {1, 1, 1, key.y[3]}));
  if (key.relu) then(CUDNN_POINTWISE_RELU_FWD, nullptr);
}

Descriptor graph_of(Nodes& nodes, cudnnHandle_t handle) {
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const Descriptor& node : nodes.operations) operations.push_back(node.get());
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
            static_cast<std::int64_t>(operations.size()), operations.data());
  if (handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  graph.finalize("operation graph");
  return graph;
}

/// Whether an engine with this note is kept out.
bool unwanted(cudnnBackendNumericalNote_t note, const ConvolutionKey& key) {
  switch (note) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
      return true;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      return key.type == DType::f32 && !key.tf32;  // that is TF32
    default:
      return false;
  }
}

/// Reads `count` child descriptors of a type out of an attribute.
std::vector<Descriptor> children(const Descriptor& of, cudnnBackendAttributeName_t name,
                                 cudnnBackendDescriptorType_t type) {
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(of.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
        "cudnnBackendGetAttribute");
  std::vector<Descriptor> result;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < count; ++i) raw.push_back(result.emplace_back(type).get());
  check(cudnnBackendGetAttribute(of.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count,
                                 raw.data()),
        "cudnnBackendGetAttribute");
  result.erase(result.begin() + count, result.end());
  return result;
}

template <class Note>
std::vector<Note> notes_of(const Descriptor& engine, cudnnBackendAttributeName_t name,
                           cudnnBackendAttributeType_t type, std::int64_t most) {
  std::vector<Note> notes(static_cast<std::size_t>(most));
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(engine.get(), name, type, most, &count, notes.data()),
        "cudnnBackendGetAttribute");
  notes.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, most)));
  return notes;
}

}  // namespace

void fail(cudnnStatus_t status, const char* call, Where where) {
  throw DeviceError(
      std::string(call) + " failed: " + cudnnGetErrorString(status) + "\n  " + last_words(), where);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &handle_), "cudnnBackendCreateDescriptor");
}
Descriptor::~Descriptor() {
  if (handle_ != nullptr) static_cast<void>(cudnnBackendDestroyDescriptor(handle_));
}
void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     std::int64_t count, const void* values) {
  check(cudnnBackendSetAttribute(handle_, name, type, count, values), "cudnnBackendSetAttribute");
}
void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  const cudnnBackendDescriptor_t raw = value.get();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
}
void Descriptor::set(cudnnBackendAttributeName_t name, std::int64_t value) {
  set(name, CUDNN_TYPE_INT64, 1, &value);
}
void Descriptor::finalize(const char* what) {
  const cudnnStatus_t status = cudnnBackendFinalize(handle_);
  if (status != CUDNN_STATUS_SUCCESS)
    throw DeviceError(std::string("cuDNN does not take this ") + what + ": " +
                      cudnnGetErrorString(status) + "\n  " + last_words());
}

ConvolutionPlan::ConvolutionPlan(cudnnHandle_t handle, const ConvolutionKey& key,
                                 const Descriptor* device) {
  Nodes nodes;
  build(nodes, key);
  const Descriptor graph = graph_of(nodes, handle);
  summary_.found = try_engines(handle, device, graph, CUDNN_HEUR_MODE_A, key) ||
                   try_engines(handle, device, graph, CUDNN_HEUR_MODE_FALLBACK, key);
}

bool ConvolutionPlan::try_engines(cudnnHandle_t handle, const Descriptor* device,
                                  const Descriptor& graph, cudnnBackendHeurMode_t mode,
                                  const ConvolutionKey& key) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (device != nullptr) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *device);
  if (cudnnBackendFinalize(heuristics.get()) != CUDNN_STATUS_SUCCESS) {
    summary_.words = last_words();  // this mode knows no engine for the graph
    return false;
  }
  for (const Descriptor& config :
       children(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)) {
    ++summary_.considered;
    if (accept(handle, device, config, key)) return true;
  }
  return false;
}

bool ConvolutionPlan::accept(cudnnHandle_t handle, const Descriptor* device,
                             const Descriptor& config, const ConvolutionKey& key) {
  const std::vector<Descriptor> engine =
      children(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  if (engine.empty()) return false;
  for (const auto note : notes_of<cudnnBackendNumericalNote_t>(
           engine[0], CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
           CUDNN_NUMERICAL_NOTE_TYPE_COUNT))
    if (unwanted(note, key)) {
      ++summary_.unwanted;
      return false;
    }
  const auto behaviour = notes_of<cudnnBackendBehaviorNote_t>(
      engine[0], CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
      CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
  const bool compiles = std::find(behaviour.begin(), behaviour.end(),
                                  CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != behaviour.end();
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (device != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *device);
  if (handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  if (cudnnBackendFinalize(plan.get()) != CUDNN_STATUS_SUCCESS) {
    summary_.words = last_words();
    summary_.compiled_later = summary_.compiled_later || compiles;
    return false;
  }
  std::int64_t count = 0, workspace = 0;
  check(cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                 CUDNN_TYPE_INT64, 1, &count, &workspace),
        "cudnnBackendGetAttribute");
  if (workspace > workspace_cap) {
    summary_.words = "a workspace of " + std::to_string(workspace) + " bytes is over the cap";
    return false;
  }
  summary_.workspace = workspace;
  plan_ = std::move(plan);
  return true;
}

void ConvolutionPlan::run(cudnnHandle_t handle, const Tensors& tensors, void* workspace) const {
  std::vector<std::int64_t> uids;
  std::vector<const void*> addresses;
  const auto add = [&](std::int64_t uid, const void* address) {
    if (address == nullptr) return;
    uids.push_back(uid);
    addresses.push_back(address);
  };
  add(uid_x, tensors.x);
  add(uid_weight, tensors.weight);
  add(uid_y, tensors.y);
  add(uid_bias, tensors.bias);
  add(uid_residual, tensors.residual);
  const auto count = static_cast<std::int64_t>(uids.size());
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, addresses.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  pack.finalize("variant pack");
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), "cudnnBackendExecute");
}

PlanSummary plan_on(const std::string& device_json, const ConvolutionKey& key) {
  Descriptor device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
             static_cast<std::int64_t>(device_json.size()), device_json.data());
  device.finalize("description of a device");
  return ConvolutionPlan(nullptr, key, &device).summary();
}

std::int64_t cudnn_version() { return static_cast<std::int64_t>(cudnnGetVersion()); }

}  // namespace dml::cuda
