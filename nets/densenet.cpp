#include <array>
#include <deque>
#include <vector>

#include "nets/layers.hpp"
#include "nets/net.hpp"
#include "ops/pool2d.hpp"
#include "ops/relu.hpp"

namespace dml {
namespace {

/// Puts new channels behind those that a block has so far. All maps of a block lie in one buffer,
/// so nothing but the new channels is copied; the gradients are slices of the incoming one.
struct Append {
  Tensor whole;
  std::int64_t width = 0;

  OpDescription describe() const { return {.name = "concat_channels"}; }
  Tensor forward(Device& device, const Tensor& so_far, const Tensor& fresh) {
    width = so_far.dim(3);
    Tensor place = whole.channels(width, width + fresh.dim(3));
    device.copy(fresh, place);
    return std::exchange(whole, {}).channels(0, width + fresh.dim(3));
  }
  Grads<2> backward(Device&, const Tensor& dy, std::array<bool, 2>) const {
    return {dy.channels(0, width), dy.channels(width, dy.dim(3))};
  }
};

/// norm, ReLU, 1x1 to four times the growth, norm, ReLU, 3x3 to the growth.
class DenseLayer {
 public:
  DenseLayer(const LayerScope& scope, std::int64_t in, std::int64_t growth)
      : norm_(scope / "norm1", in),
        reduce_(scope, "conv1", "norm2", in, 4 * growth, Window{}),
        spatial_(scope / "conv2", 4 * growth, growth, Window{.kernel = 3, .pad = 1}) {}

  Var operator()(const Var& x) const { return spatial_(reduce_(norm_(x, {.relu = true}))); }

 private:
  BatchNorm norm_;
  ConvNormRelu reduce_;
  Conv2d spatial_;
};

/// norm, ReLU, 1x1 to half the channels, average pooling.
class Transition {
 public:
  Transition(const LayerScope& scope, std::int64_t in)
      : norm_(scope / "norm", in), conv_(scope / "conv", in, in / 2, Window{}) {}

  Var operator()(const Var& x) const {
    return avg_pool2d(conv_(norm_(x, {.relu = true})), {.kernel = {2, 2}, .stride = {2, 2}});
  }

 private:
  BatchNorm norm_;
  Conv2d conv_;
};

/// What tells the four nets apart.
struct DenseNetPlan {
  std::int64_t growth, first;
  std::array<int, 4> layers;
};

class DenseNet : public Net {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };

  DenseNet(const DenseNetPlan& plan, const Setup& setup) : growth_(plan.growth) {
    const LayerScope scope{setup.scope / "features", norms_, ConvInit::fan_in};
    std::int64_t channels = plan.first;
    stem_.emplace(scope, "conv0", "norm0", 3, channels, Window{.kernel = 7, .stride = 2, .pad = 3});
    stages_ = {{"conv0", channels}, {"relu0", channels}, {"pool0", channels}};
    for (std::size_t b = 0; b < plan.layers.size(); ++b) {
      const std::string name = "denseblock" + std::to_string(b + 1);
      auto& block = blocks_.emplace_back();
      for (int l = 0; l < plan.layers[b]; ++l, channels += growth_) {
        const std::string layer = "denselayer" + std::to_string(l + 1);
        block.emplace_back(scope / name / layer, channels, growth_);
        stages_.push_back({name + "." + layer, growth_});
      }
      stages_.push_back({name, channels});
      if (b + 1 == plan.layers.size()) break;
      const std::string transition = "transition" + std::to_string(b + 1);
      transitions_.emplace_back(scope / transition, channels);
      stages_.push_back({transition, channels /= 2});
    }
    last_.emplace(scope / "norm5", channels);
    for (const char* name : {"norm5", "relu5", "features_map"}) stages_.push_back({name, channels});
  }

  std::string classifier_name() const override { return "classifier"; }
  LinearInit classifier_init(std::int64_t in) const override {
    return {Net::classifier_init(in).weight, init::zeros()};
  }
  void check_input(std::int64_t h, std::int64_t w) const override {
    DML_CHECK(h >= 29 && w >= 29, "DenseNet cannot take images of " + std::to_string(h) + " x " +
                                      std::to_string(w) + " pixels: 29 x 29 is the least");
  }

 protected:
  Var forward(const Var& images, StageMaps& maps) override {
    Var x = stem(images, maps);
    x = max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}});
    if (maps.note("pool0", x)) return x;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      x = block(b, x, maps);
      if (maps.note("denseblock" + std::to_string(b + 1), x)) return x;
      if (b < transitions_.size()) {
        x = transitions_[b](x);
        if (maps.note("transition" + std::to_string(b + 1), x)) return x;
      }
    }
    if (!maps.wants("norm5")) {
      x = (*last_)(x, {.relu = true});
    } else {
      const Var normed = (*last_)(x, {});
      maps.note("norm5", normed);
      x = relu(normed);
    }
    maps.note("relu5", x);
    return x;
  }

 private:
  /// Convolution, norm, ReLU; in two steps when someone wants to see the convolution's result.
  Var stem(const Var& images, StageMaps& maps) const {
    if (!maps.wants("conv0")) {
      const Var x = (*stem_)(images);
      maps.note("relu0", x);
      return x;
    }
    const Var y = stem_->conv(images);
    maps.note("conv0", y);
    const Var x = stem_->norm_relu(y);
    maps.note("relu0", x);
    return x;
  }

  Var block(std::size_t b, const Var& x, StageMaps& maps) const {
    const std::int64_t begin = x.dim(3), layers = static_cast<std::int64_t>(blocks_[b].size());
    Shape shape = x.shape();
    shape[3] = begin + layers * growth_;
    Tensor whole = x.device().empty(shape, x.dtype());
    Var so_far = apply(Enter{.whole = whole}, x);
    for (std::size_t l = 0; l < blocks_[b].size(); ++l) {
      const Var fresh = blocks_[b][l](so_far);
      maps.note("denseblock" + std::to_string(b + 1) + ".denselayer" + std::to_string(l + 1),
                fresh);
      so_far = apply(Append{.whole = whole}, so_far, fresh);
    }
    return so_far;
  }

  /// Copies the input of a block to the front of its buffer.
  struct Enter {
    Tensor whole;
    OpDescription describe() const { return {.name = "copy"}; }
    Tensor forward(Device& device, const Tensor& x) {
      Tensor place = std::exchange(whole, {}).channels(0, x.dim(3));
      device.copy(x, place);
      return place;
    }
    Grads<1> backward(Device&, const Tensor& dy, std::array<bool, 1>) const { return {dy}; }
  };

  std::int64_t growth_;
  std::optional<ConvNormRelu> stem_;
  std::deque<std::vector<DenseLayer>> blocks_;
  std::vector<Transition> transitions_;
  std::optional<BatchNorm> last_;
};

/// A DenseNet of given depth.
template <int Depth> class DenseNetOf final : public DenseNet {
 public:
  using Options = DenseNet::Options;
  DenseNetOf(const Options&, const Setup& setup) : DenseNet(plan(), setup) {}

 private:
  static constexpr DenseNetPlan plan() {
    switch (Depth) {
      case 121:
        return {32, 64, {6, 12, 24, 16}};
      case 161:
        return {48, 96, {6, 12, 36, 24}};
      case 169:
        return {32, 64, {6, 12, 32, 32}};
      default:
        return {32, 64, {6, 12, 48, 32}};
    }
  }
};

About densenet(const std::string& name, const std::string& features) {
  return {.name = name,
          .summary = "densely connected net, " + features + " features",
          .paper = "Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
          .details = "Names and layers of torchvision; no dropout."};
}

const Register<Net, DenseNetOf<121>> densenet121{densenet("densenet121", "1024")};
const Register<Net, DenseNetOf<161>> densenet161{densenet("densenet161", "2208")};
const Register<Net, DenseNetOf<169>> densenet169{densenet("densenet169", "1664")};
const Register<Net, DenseNetOf<201>> densenet201{densenet("densenet201", "1920")};

}  // namespace
}  // namespace dml
