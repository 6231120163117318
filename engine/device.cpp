#include "engine/device.hpp"

#include <cstring>
#include <thread>

#include "engine/cpu/onednn.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/cuda/convolution_key.hpp"
#include "engine/cuda/interface.hpp"
#include "engine/names.hpp"

// The only file that asks at compile time what is built.
#ifdef DML_CUDA
#define DML_HAS_CUDA 1
#else
#define DML_HAS_CUDA 0
#endif

namespace dml {
namespace {

#if !DML_HAS_CUDA
[[noreturn]] void no_cuda() {
  throw DeviceError(
      "this build has no CUDA backend\n  install the CUDA toolkit and cuDNN, configure with "
      "-DDML_CUDA=ON, or use --device cpu");
}
#endif

int usable_cores() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace

#if !DML_HAS_CUDA
namespace cuda {
int device_count() { return 0; }
std::string describe(int) { return "not in this build"; }
std::shared_ptr<Context> open(int) { no_cuda(); }
std::string name(const Context&) { no_cuda(); }
std::shared_ptr<Storage> allocate(Context&, std::size_t) { no_cuda(); }
void copy(Context*, const Tensor&, Tensor&) { no_cuda(); }
void clear(Context&, Tensor&) { no_cuda(); }
void synchronize(Context&) { no_cuda(); }
PlanSummary plan_on(const std::string&, const ConvolutionKey&) { no_cuda(); }
std::int64_t cudnn_version() { return 0; }
void allow_tf32(Context&) { no_cuda(); }
}  // namespace cuda
#endif

const char* name_of(Backend backend) {
  switch (backend) {
    case Backend::reference:
      return "reference";
    case Backend::cpu:
      return "cpu";
    case Backend::cuda:
      return "cuda";
  }
  return "?";
}

Device::Device(Backend backend, int threads) : backend_(backend), threads_(threads) {
  if (backend == Backend::cuda) cuda_ = cuda::open(0);
}
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;
Device::~Device() = default;

Device Device::open(const std::string& name, int threads) {
  if (threads < 0) throw UsageError("threads: a count of at least 1 is wanted, or 0 for all cores");
  if (name == "auto") return open(backend_state(Backend::cuda).present ? "cuda" : "cpu", threads);
  if (name == "reference") return Device(Backend::reference, 1);
  if (name == "cpu") {
    Device device(Backend::cpu, threads > 0 ? threads : usable_cores());
    cpu::set_threads(device.threads_);
    return device;
  }
  if (name == "cuda" || name.rfind("cuda:", 0) == 0) {
    int index = 0;
    if (name != "cuda") {
      const std::string digits = name.substr(5);
      if (digits.empty() || digits.size() > 3 ||
          digits.find_first_not_of("0123456789") != std::string::npos)
        throw UsageError("device: '" + name + "' is not cuda:N");
      index = std::stoi(digits);
    }
    const BackendState state = backend_state(Backend::cuda);
    if (!state.present || index >= cuda::device_count())
      throw DeviceError("device '" + name + "' is not there: " + state.detail +
                        "\n  use --device cpu, or auto to take what there is");
    Device device(Backend::reference, threads > 0 ? threads : usable_cores());
    device.backend_ = Backend::cuda;
    device.cuda_ = cuda::open(index);
    cpu::set_threads(device.threads_);
    return device;
  }
  throw UsageError("no device named '" + name + "'" +
                   suggestion(name, {"auto", "cpu", "cuda", "reference"}));
}

std::string Device::name() const {
  return backend_ == Backend::cuda ? cuda::name(*cuda_) : name_of(backend_);
}

bool Device::computes_bf16() const {
  return backend_ != Backend::cpu || cpu::onednn::computes_bf16();
}

Tensor Device::empty(const Shape& shape, DType type) const {
  if (backend_ != Backend::cuda) {
    Tensor tensor = Tensor::empty(shape, type);
    tensor.storage()->of_device = true;
    return tensor;
  }
  const std::size_t bytes = static_cast<std::size_t>(count(shape)) * item_size(type);
  return {cuda::allocate(*cuda_, bytes), shape, type};
}

Tensor Device::zeros(const Shape& shape, DType type) const {
  Tensor tensor = empty(shape, type);
  clear(tensor);
  return tensor;
}

void Device::clear(Tensor& tensor) const {
  DML_CHECK(tensor.packed(), "clear: the tensor has a row pitch");
  if (tensor.bytes() == 0) return;
  if (tensor.place() == Place::cuda) {
    cuda::clear(*cuda_, tensor);
  } else {
    std::memset(tensor.raw_bytes(), 0, tensor.bytes());
  }
}

Tensor Device::upload(const Tensor& tensor) const {
  if (!tensor.defined() || tensor.place() == place()) return tensor;
  if (place() == Place::host) return copy_to_host(tensor);
  Tensor copy = empty(tensor.shape(), tensor.dtype());
  this->copy(tensor.dense(), copy);
  return copy;
}

Tensor Device::dense(const Tensor& tensor) const {
  if (tensor.packed()) return tensor;
  Tensor packed = empty(tensor.shape(), tensor.dtype());
  copy(tensor, packed);
  return packed;
}

void Device::copy(const Tensor& from, Tensor& to) const {
  DML_CHECK(from.shape() == to.shape() && from.dtype() == to.dtype(),
            "copy: shapes " + to_string(from.shape()) + " and " + to_string(to.shape()) +
                " or element types differ");
  if (from.size() == 0) return;
  if (from.place() == Place::cuda || to.place() == Place::cuda) {
    cuda::copy(cuda_.get(), from, to);
    return;
  }
  const std::size_t item = item_size(from.dtype());
  if (from.packed() && to.packed()) {
    std::memcpy(to.raw_bytes(), from.raw_bytes(), from.bytes());
    return;
  }
  const auto row_bytes = static_cast<std::size_t>(from.row_length()) * item;
  const std::int64_t grain = 1 + (1 << 15) / (from.row_length() + 1);
  cpu::parallel_for(threads_, from.row_count(), grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r)
      std::memcpy(to.raw_bytes() + static_cast<std::size_t>(r * to.pitch()) * item,
                  from.raw_bytes() + static_cast<std::size_t>(r * from.pitch()) * item, row_bytes);
  });
}

void Device::synchronize() const {
  if (cuda_) cuda::synchronize(*cuda_);
}

std::int64_t Device::host_reads() const { return dml::host_reads(); }

Tensor copy_to_host(const Tensor& tensor) {
  Tensor host = Tensor::empty(tensor.shape(), tensor.dtype());
  if (tensor.size() > 0) cuda::copy(nullptr, tensor, host);
  return host;
}

BackendState backend_state(Backend backend) {
  if (backend == Backend::reference) return {true, true, "always there"};
  if (backend == Backend::cpu) {
    const bool bf16 = cpu::onednn::computes_bf16();
    return {true, true, bf16 ? "always there; bf16" : "always there; no bf16 (AVX512-BF16)"};
  }
  BackendState state{DML_HAS_CUDA == 1, false, "not in this build"};
  if (!state.built) return state;
  state.present = cuda::device_count() > 0;
  state.detail = state.present ? cuda::describe(0) : "no NVIDIA device or driver was found";
  return state;
}

std::vector<Backend> present_backends() {
  std::vector<Backend> list{Backend::reference, Backend::cpu};
  if (backend_state(Backend::cuda).present) list.push_back(Backend::cuda);
  return list;
}

}  // namespace dml
