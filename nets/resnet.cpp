#include <array>
#include <vector>

#include "nets/layers.hpp"
#include "nets/net.hpp"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// A residual block: the input plus two 3x3 convolutions (basic), or plus 1x1 reduce, 3x3, 1x1
/// expand by four (bottleneck). The stride sits on the first 3x3 convolution, as in torchvision.
class Block {
 public:
  Block(const LayerScope& scope, std::int64_t in, std::int64_t width, int stride, bool bottleneck)
      : out_(bottleneck ? 4 * width : width) {
    const Window spatial{.kernel = 3, .stride = stride, .pad = 1};
    if (bottleneck) {
      layers_.emplace_back(scope, "conv1", "bn1", in, width, Window{});
      layers_.emplace_back(scope, "conv2", "bn2", width, width, spatial);
      layers_.emplace_back(scope, "conv3", "bn3", width, out_, Window{});
    } else {
      layers_.emplace_back(scope, "conv1", "bn1", in, width, spatial);
      layers_.emplace_back(scope, "conv2", "bn2", width, width, Window{.kernel = 3, .pad = 1});
    }
    if (stride != 1 || in != out_)
      project_.emplace(scope / "downsample", "0", "1", in, out_, Window{.stride = stride});
  }

  Var operator()(const Var& x) const {
    const Var shortcut = project_ ? project_->linear(x) : x;
    Var y = x;
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) y = layers_[i](y);
    return layers_.back().add_relu(y, shortcut);
  }

  std::int64_t out() const { return out_; }

 private:
  std::int64_t out_;
  std::vector<ConvNormRelu> layers_;
  std::optional<ConvNormRelu> project_;
};

/// What tells the five nets apart.
struct ResNetPlan {
  bool bottleneck;
  std::array<int, 4> blocks;
};

class ResNet : public Net {
 public:
  struct Options {
    std::int64_t last_stride = 2;
    std::string last_layer = "layer4";
    bool double_update = false;
    static constexpr std::tuple fields{
        field("last_stride", &Options::last_stride,
              "stride of layer4; 1 doubles the size of the last map", {1, 2}),
        field("last_layer", &Options::last_layer, "where the net ends",
              "layer1|layer2|layer3|layer4"),
        field("double_update", &Options::double_update,
              "running statistics of layer1 to layer4 move twice with every batch, as where a "
              "published system computes these layers again in its backward pass"),
    };
  };

  ResNet(const ResNetPlan& plan, const Options& options, const Setup& setup) {
    const LayerScope scope{setup.scope, norms_};
    stem_.emplace(scope, "conv1", "bn1", 3, 64, Window{.kernel = 7, .stride = 2, .pad = 3});
    stages_ = {{"stem", 64}, {"maxpool", 64}};
    LayerScope inner = scope;  // two moves of momentum m are one of 1 - (1 - m)^2
    if (options.double_update) inner.momentum = scope.momentum * (2 - scope.momentum);
    std::int64_t channels = 64, width = 64;
    for (std::size_t i = 0; i < plan.blocks.size(); ++i, width *= 2) {
      const std::string name = "layer" + std::to_string(i + 1);
      const int stride = i == 0 ? 1 : i == 3 ? static_cast<int>(options.last_stride) : 2;
      auto& layer = layers_.emplace_back();
      for (int b = 0; b < plan.blocks[i]; ++b) {
        layer.emplace_back(inner / name / b, channels, width, b == 0 ? stride : 1, plan.bottleneck);
        channels = layer.back().out();
      }
      stages_.push_back({name, channels});
      if (name == options.last_layer) break;
    }
    stages_.push_back({"features_map", channels});
  }

  std::string classifier_name() const override { return "fc"; }

 protected:
  Var forward(const Var& images, StageMaps& maps) override {
    Var x = (*stem_)(images);  // [n, h/2, w/2, 64]
    if (maps.note("stem", x)) return x;
    x = max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}});
    if (maps.note("maxpool", x)) return x;
    for (std::size_t i = 0; i < layers_.size(); ++i) {  // last: [n, h/32, w/32, width]
      for (const Block& block : layers_[i]) x = block(x);
      if (maps.note("layer" + std::to_string(i + 1), x)) return x;
    }
    return x;
  }

 private:
  std::optional<ConvNormRelu> stem_;
  std::vector<std::vector<Block>> layers_;
};

/// A ResNet of given depth.
template <int Depth> class ResNetOf final : public ResNet {
 public:
  using Options = ResNet::Options;
  ResNetOf(const Options& options, const Setup& setup) : ResNet(plan(), options, setup) {}

 private:
  static constexpr ResNetPlan plan() {
    switch (Depth) {
      case 18:
        return {false, {2, 2, 2, 2}};
      case 34:
        return {false, {3, 4, 6, 3}};
      case 50:
        return {true, {3, 4, 6, 3}};
      case 101:
        return {true, {3, 4, 23, 3}};
      default:
        return {true, {3, 8, 36, 3}};
    }
  }
};

About resnet(const std::string& name, const std::string& blocks) {
  return {.name = name,
          .summary = "residual net of " + blocks,
          .paper = "He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
          .details =
              "Names and layers of torchvision: the stride of a bottleneck sits on its 3x3 "
              "convolution, not on the first 1x1 as in the paper."};
}

const Register<Net, ResNetOf<18>> resnet18{resnet("resnet18", "8 basic blocks, 512 features")};
const Register<Net, ResNetOf<34>> resnet34{resnet("resnet34", "16 basic blocks, 512 features")};
const Register<Net, ResNetOf<50>> resnet50{resnet("resnet50", "16 bottlenecks, 2048 features")};
const Register<Net, ResNetOf<101>> resnet101{resnet("resnet101", "33 bottlenecks, 2048 features")};
const Register<Net, ResNetOf<152>> resnet152{resnet("resnet152", "50 bottlenecks, 2048 features")};

}  // namespace
}  // namespace dml
