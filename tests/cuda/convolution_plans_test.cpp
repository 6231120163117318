#include <doctest/doctest.h>

#include <array>
#include <set>
#include <string>

#include "engine/cuda/convolution_key.hpp"
#include "engine/device.hpp"
#include "engine/file.hpp"
#include "tests/places.hpp"

// Whether cuDNN has a plan for every convolution of the nets on a GPU of compute capability 9.0,
// asked of the library with a described device: no GPU is needed. It says nothing about values or
// speed.
namespace dml::cuda {
namespace {

constexpr std::int64_t batch = 32;

/// Collects the convolutions of a net while its layers are walked through.
class Collector {
 public:
  /// A square convolution, padded to keep the size at stride 1. Returns the size of the result.
  std::int64_t conv(std::int64_t size, std::int64_t in, std::int64_t out, std::int64_t window,
                    std::int64_t stride = 1, bool residual = false) {
    const std::int64_t pad = window / 2, after = (size + 2 * pad - window) / stride + 1;
    ConvolutionKey key;
    key.x = {batch, size, size, in};
    key.weight = {out, window, window, in};
    key.y = {batch, after, after, out};
    key.stride = {stride, stride};
    key.pad = {pad, pad};
    for (const DType type : {DType::f32, DType::bf16}) {
      key.type = type;
      for (const auto kind : {ConvolutionKind::forward, ConvolutionKind::backward_data,
                              ConvolutionKind::backward_weight}) {
        key.kind = kind;
        keys_.insert(key);
      }
      key.kind = ConvolutionKind::forward;
      key.bias = true;  // as BN-Inception has it in training
      keys_.insert(key);
      key.relu = true;  // inference: batch norm folded
      key.residual = residual;
      keys_.insert(key);
      key.bias = key.relu = key.residual = false;
    }
    return after;
  }
  const std::set<ConvolutionKey>& keys() const { return keys_; }

 private:
  std::set<ConvolutionKey> keys_;
};

/// ResNet-101 and -152 repeat the layers of ResNet-50, ResNet-34 those of ResNet-18.
void resnet(Collector& net, bool bottleneck) {
  std::int64_t size = net.conv(224, 3, 64, 7, 2) / 2, channels = 64;
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    const std::int64_t width = 64 << stage, out = bottleneck ? 4 * width : width;
    for (std::int64_t block = 0; block < 2; ++block) {
      const std::int64_t stride = block == 0 && stage > 0 ? 2 : 1;
      std::int64_t after = size;
      if (bottleneck) {
        net.conv(size, channels, width, 1);
        after = net.conv(size, width, width, 3, stride);
        net.conv(after, width, out, 1, 1, true);
      } else {
        after = net.conv(size, channels, width, 3, stride);
        net.conv(after, width, width, 3, 1, true);
      }
      if (channels != out) net.conv(size, channels, out, 1, stride);
      size = after;
      channels = out;
    }
  }
  CHECK(size == 7);
}

void densenet(Collector& net, std::int64_t growth, std::int64_t first,
              const std::array<std::int64_t, 4>& layers) {
  std::int64_t size = net.conv(224, 3, first, 7, 2) / 2, channels = first;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    for (std::int64_t layer = 0; layer < layers[stage]; ++layer) {
      net.conv(size, channels, 4 * growth, 1);
      net.conv(size, 4 * growth, growth, 3);
      channels += growth;
    }
    if (stage == 3) break;
    net.conv(size, channels, channels / 2, 1);
    channels /= 2;
    size /= 2;
  }
  CHECK(size == 7);
}

/// One row of the table of BN-Inception: widths of the branches, 0 for none. A module of stride 2
/// has no 1x1 branch and passes its input on through a pooling.
struct Module {
  std::int64_t one, reduce3, three, reduce5, five, projection, stride;
};

void bn_inception(Collector& net) {
  net.conv(224, 3, 64, 7, 2);
  net.conv(56, 64, 64, 1);
  net.conv(56, 64, 192, 3);
  static constexpr Module modules[] = {
      {64, 64, 64, 64, 96, 32, 1},       {64, 64, 96, 64, 96, 64, 1},
      {0, 128, 160, 64, 96, 0, 2},       {224, 64, 96, 96, 128, 128, 1},
      {192, 96, 128, 96, 128, 128, 1},   {160, 128, 160, 128, 160, 128, 1},
      {96, 128, 192, 160, 192, 128, 1},  {0, 128, 192, 192, 256, 0, 2},
      {352, 192, 320, 160, 224, 128, 1}, {352, 192, 320, 192, 224, 128, 1},
  };
  std::int64_t size = 28, channels = 192;
  for (const Module& m : modules) {
    if (m.one > 0) net.conv(size, channels, m.one, 1);
    net.conv(size, channels, m.reduce3, 1);
    net.conv(size, m.reduce3, m.three, 3, m.stride);
    net.conv(size, channels, m.reduce5, 1);
    net.conv(size, m.reduce5, m.five, 3);
    const std::int64_t after = net.conv(size, m.five, m.five, 3, m.stride);
    if (m.projection > 0) net.conv(size, channels, m.projection, 1);
    channels = m.one + m.three + m.five + (m.stride == 2 ? channels : m.projection);
    size = after;
  }
  CHECK(channels == 1024);
  CHECK(size == 7);
}

TEST_CASE("cuda: cuDNN has a plan for every convolution of every net") {
  if (!backend_state(Backend::cuda).built || cudnn_version() < 90800) {
    MESSAGE("skipped: needs a build with cuDNN 9.8 or later");
    return;
  }
  const std::string gpu =
      read_file(testing::source_dir() / "tests/cuda/compute_capability_9_0.json");
  Collector net;
  resnet(net, false);
  resnet(net, true);
  bn_inception(net);
  densenet(net, 32, 64, {6, 12, 24, 16});  // 121
  densenet(net, 48, 96, {6, 12, 36, 24});  // 161
  densenet(net, 32, 64, {6, 12, 32, 32});  // 169
  densenet(net, 32, 64, {6, 12, 48, 32});  // 201
  CHECK(net.keys().size() > 2000);
  std::int64_t largest_workspace = 0;
  int tensor_cores = 0;  // convolutions of f32 for which TF32 is another, earlier engine
  for (ConvolutionKey key : net.keys()) {
    const PlanSummary summary = plan_on(gpu, key);
    CAPTURE(to_string(key));
    CAPTURE(summary.words);
    CHECK(summary.found);
    largest_workspace = std::max(largest_workspace, summary.workspace);
    if (key.type != DType::f32) continue;
    key.tf32 = true;
    const PlanSummary rounded = plan_on(gpu, key);
    CHECK(rounded.found);
    CHECK(rounded.considered <= summary.considered);
    tensor_cores += rounded.considered < summary.considered ? 1 : 0;
  }
  CHECK(tensor_cores > 100);
  MESSAGE(net.keys().size() << " convolutions, largest workspace " << (largest_workspace >> 20)
                            << " MiB");
}

TEST_CASE("cuda: a convolution whose sizes do not fit is refused in words") {
  if (!backend_state(Backend::cuda).built || cudnn_version() < 90800) {
    MESSAGE("skipped: needs a build with cuDNN 9.8 or later");
    return;
  }
  ConvolutionKey key;
  key.x = {2, 8, 8, 16};
  key.weight = {32, 3, 3, 16};
  key.y = {2, 5, 5, 32};  // must be 6, 6
  const std::string gpu =
      read_file(testing::source_dir() / "tests/cuda/compute_capability_9_0.json");
  bool refused = false;
  try {
    refused = !plan_on(gpu, key).found;
  } catch (const DeviceError&) {
    refused = true;
  }
  CHECK(refused);
}

}  // namespace
}  // namespace dml::cuda
