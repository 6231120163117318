#include <array>
#include <deque>
#include <vector>

#include "nets/layers.hpp"
#include "nets/net.hpp"
#include "ops/concat_channels.hpp"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// One line of the table of blocks: channels of the branches; 0 where a branch has no such layer.
struct Plan {
  const char* name;
  std::int64_t in, single, reduce, spatial, double_reduce, double_first, double_second, project;
};

constexpr std::array<Plan, 10> plans{{
    {"3a", 192, 64, 64, 64, 64, 96, 96, 32},
    {"3b", 256, 64, 64, 96, 64, 96, 96, 64},
    {"3c", 320, 0, 128, 160, 64, 96, 96, 0},
    {"4a", 576, 224, 64, 96, 96, 128, 128, 128},
    {"4b", 576, 192, 96, 128, 96, 128, 128, 128},
    {"4c", 576, 160, 128, 160, 128, 160, 160, 128},
    {"4d", 608, 96, 128, 192, 160, 192, 192, 128},
    {"4e", 608, 0, 128, 192, 192, 256, 256, 0},
    {"5a", 1056, 352, 192, 320, 160, 224, 224, 128},
    {"5b", 1024, 352, 192, 320, 192, 224, 224, 128},
}};

/// Max pooling between the stages: 3 x 3, stride 2, no padding, rounding up.
constexpr Pool2dOptions shrink{.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true};
/// Pooling inside a block that keeps the size.
constexpr Pool2dOptions keep{.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .ceil_mode = true};

/// An inception block: 1x1; 1x1 and 3x3; 1x1 and two 3x3; pooling and 1x1; joined in this order.
/// Without the first branch it halves the map: the last 3x3 convolutions have stride 2, and the
/// pooled input is passed through.
class Inception {
 public:
  Inception(const LayerScope& scope, const Plan& plan, bool max_pooling)
      : pooled_name_(std::string(plan.name) + (max_pooling ? "_maxpool" : "_avgpool")),
        max_pooling_(max_pooling),
        out_(plan.single + plan.spatial + plan.double_second +
             (plan.project == 0 ? plan.in : plan.project)) {
    const auto layer = [&](const std::string& branch, std::int64_t in, std::int64_t out,
                           Window window) {
      const std::string conv = "inception_" + std::string(plan.name) + "_" + branch;
      return ConvNormRelu(scope, conv, conv + "_bn", in, out, window);
    };
    const int stride = plan.single == 0 ? 2 : 1;
    const Window last{.kernel = 3, .stride = stride, .pad = 1}, inner{.kernel = 3, .pad = 1};
    if (plan.single > 0) single_.emplace(layer("1x1", plan.in, plan.single, {}));
    spatial_.push_back(layer("3x3_reduce", plan.in, plan.reduce, {}));
    spatial_.push_back(layer("3x3", plan.reduce, plan.spatial, last));
    double_.push_back(layer("double_3x3_reduce", plan.in, plan.double_reduce, {}));
    double_.push_back(layer("double_3x3_1", plan.double_reduce, plan.double_first, inner));
    double_.push_back(layer("double_3x3_2", plan.double_first, plan.double_second, last));
    if (plan.project > 0) project_.emplace(layer("pool_proj", plan.in, plan.project, {}));
  }

  /// The joined branches.
  Var operator()(const Var& x, StageMaps& maps) const {
    Shape shape = spatial_.back().shape(x.shape());
    shape.back() = out_;
    ChannelBuffer joined(x.device(), shape, x.dtype());
    std::vector<Var> parts;
    if (single_) parts.push_back((*single_)(x, joined.next(single_->out())));
    for (const auto* branch : {&spatial_, &double_}) {
      Var y = x;
      for (std::size_t i = 0; i + 1 < branch->size(); ++i) y = (*branch)[i](y);
      parts.push_back(branch->back()(y, joined.next(branch->back().out())));
    }
    if (project_) {
      const Var pooled = max_pooling_ ? max_pool2d(x, keep) : avg_pool2d(x, keep);
      maps.note(pooled_name_, pooled);
      parts.push_back((*project_)(pooled, joined.next(project_->out())));
    } else {
      parts.push_back(max_pool2d(x, shrink, joined.next(x.dim(3))));
      maps.note(pooled_name_, parts.back());
    }
    return concat_channels(parts, joined);
  }

  std::int64_t out() const { return out_; }
  const std::string& pooled_name() const { return pooled_name_; }

 private:
  std::string pooled_name_;
  bool max_pooling_;
  std::int64_t out_;
  std::optional<ConvNormRelu> single_, project_;
  std::vector<ConvNormRelu> spatial_, double_;
};

class BnInception final : public Net {
 public:
  struct Options {
    double momentum = 0.9;
    std::string pool5b = "max";
    static constexpr std::tuple fields{
        field("momentum", &Options::momentum,
              "share of the batch in the running statistics of batch norm; 0.9 in most published "
              "definitions, 0.1 in pretrained-models.pytorch",
              {0, 1}),
        field("pool5b", &Options::pool5b, "pooling inside the last block", "max|avg"),
    };
  };

  BnInception(const Options& options, const Setup& setup) {
    const LayerScope scope{.scope = setup.scope,
                           .norms = norms_,
                           .init = ConvInit::uniform,
                           .conv_bias = true,
                           .momentum = options.momentum};
    const auto stem = [&](const std::string& name, std::int64_t in, std::int64_t out,
                          Window window) {
      stem_.emplace_back(scope, name, name + "_bn", in, out, window);
    };
    stem("conv1_7x7_s2", 3, 64, {.kernel = 7, .stride = 2, .pad = 3});
    stem("conv2_3x3_reduce", 64, 64, {});
    stem("conv2_3x3", 64, 192, {.kernel = 3, .pad = 1});
    stages_ = {{"conv1", 64}, {"pool1", 64}, {"conv2", 192}, {"pool2", 192}};
    for (const Plan& plan : plans) {
      const bool max_pooling =
          plan.project == 0 || (&plan == &plans.back() && options.pool5b == "max");
      const Inception& block = blocks_.emplace_back(scope, plan, max_pooling);
      stages_.push_back({block.pooled_name(), plan.in});
      stages_.push_back({std::string("inception_") + plan.name, block.out()});
    }
    stages_.push_back({"features_map", blocks_.back().out()});
  }

  std::string classifier_name() const override { return "last_linear"; }

  /// Colours in the order and range of Caffe.
  Preprocessing preprocessing() const override {
    return {.order = Channels::bgr, .scale = 1, .mean = {104, 117, 128}, .std = {1, 1, 1}};
  }

  /// In the blocks that halve the map, convolutions round down and pooling rounds up: the maps
  /// before them must be even.
  void check_input(std::int64_t h, std::int64_t w) const override {
    const auto fits = [](std::int64_t n) { return n >= 63 && (n + 1) % 32 <= 7; };
    if (!fits(h) || !fits(w))
      throw ShapeError(
          "BN-Inception cannot take images of " + std::to_string(h) + " x " + std::to_string(w) +
          " pixels: its branches would give maps of different sizes\n  sizes that fit: "
          "63 to 70, 95 to 102, 127 to 134, ..., 223 to 230 (224, 227), 255 to 262");
  }

 protected:
  Var forward(const Var& images, StageMaps& maps) override {
    Var x = stem_[0](images);  // [n, h/2, w/2, 64]
    if (maps.note("conv1", x)) return x;
    x = max_pool2d(x, shrink);
    if (maps.note("pool1", x)) return x;
    x = stem_[2](stem_[1](x));  // [n, h/4, w/4, 192]
    if (maps.note("conv2", x)) return x;
    x = max_pool2d(x, shrink);
    if (maps.note("pool2", x)) return x;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {  // last: [n, h/32, w/32, 1024]
      x = blocks_[i](x, maps);
      if (maps.note(std::string("inception_") + plans[i].name, x)) return x;
    }
    return x;
  }

 private:
  std::vector<ConvNormRelu> stem_;
  std::deque<Inception> blocks_;
};

const Register<Net, BnInception> bn_inception_net{{
    .name = "bn_inception",
    .summary = "Inception with batch norm, 1024 features; the usual net of metric learning",
    .paper = "Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training by "
             "Reducing Internal Covariate Shift, ICML 2015",
    .details = "Layers and names of the published PyTorch weights. Takes BGR values of 0 to 255 "
               "less a mean, and only sizes n with (n + 1) mod 32 <= 7.",
    .aliases = {"inception_bn"},
}};

}  // namespace
}  // namespace dml
