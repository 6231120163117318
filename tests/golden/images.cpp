#include <cmath>
#include <cstring>

#include "data/image/erase.hpp"
#include "data/image/reader.hpp"
#include "data/image/resample.hpp"
#include "data/image/to_rgb.hpp"
#include "data/normalize.hpp"
#include "data/transform.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

const Preprocessing plain{};  // only to 0..1
const Preprocessing imagenet{.order = Channels::rgb,
                             .scale = 1.0 / 255,
                             .mean = {.485, .456, .406},
                             .std = {.229, .224, .225}};

Image image_of(const Tensor& tensor) {
  Image image(tensor.dim(0), tensor.dim(1));
  std::memcpy(image.pixels.data(), tensor.raw_bytes(), image.pixels.size());
  return image;
}

Tensor tensor_of(const Image& image) {
  return Tensor::of<std::uint8_t>({image.height, image.width, 3}, image.pixels);
}

/// [3, h, w] in f32, whatever the precision of the run: preprocessing has no other.
Tensor values_of(const Image& image, const Preprocessing& preprocessing) {
  Tensor values = Tensor::empty({1, image.height, image.width, 3}, DType::f32);
  normalize(image, preprocessing, value_table(preprocessing), values.raw<float>());
  return to_channels_first(values).reshape({3, image.height, image.width});
}

Image transformed(Run& run, const std::string& name, const Settings& settings) {
  Pipeline pipeline;
  pipeline.then(name, settings, {});
  RandomSequence random(Random(0, Purpose::augment));
  return pipeline.run(image_of(run.tensor("in.image")), random);
}

const AddGolden shorter{
    "images", "resize_shorter", [](Run& run) {
      const Image image = transformed(run, "resize_shorter", {{"to", run.given().text("size")}});
      run.give("out.image", tensor_of(image));
    }};

const AddGolden exact{"images", "resize_exact", [](Run& run) {
                        const Settings size{{"height", run.given().text("out_h")},
                                            {"width", run.given().text("out_w")}};
                        run.give("out.image", tensor_of(transformed(run, "resize_exact", size)));
                      }};

const AddGolden centre{
    "images", "center_crop", [](Run& run) {
      const Image image = transformed(run, "center_crop", {{"size", run.given().text("size")}});
      run.give("out.image", tensor_of(image));
    }};

/// The crop of random_resized_crop with a given box.
const AddGolden resized{"images", "resized_crop", [](Run& run) {
                          const Case& given = run.given();
                          const Image whole = image_of(run.tensor("in.image"));
                          const std::int64_t size = given.integer("size");
                          const Image part =
                              crop(whole, {given.integer("left"), given.integer("top"),
                                           given.integer("width"), given.integer("height")});
                          Image image = resize(part, {size, size});
                          run.give("out.image", tensor_of(image));
                          Pipeline flip;
                          flip.then("horizontal_flip", {{"probability", "1"}}, {});
                          RandomSequence random(Random(0, Purpose::augment));
                          flip(image, random);
                          run.give("out.flipped", tensor_of(image));
                          Preprocessing preprocessing = imagenet;
                          for (std::size_t c = 0; c < 3; ++c) {
                            preprocessing.mean[c] = given.numbers("mean")[c];
                            preprocessing.std[c] = given.numbers("std")[c];
                          }
                          run.give("out.tensor", values_of(image, preprocessing));
                        }};

const AddGolden to_tensor{
    "images", "to_tensor", [](Run& run) {
      const Image image = image_of(run.tensor("in.image"));
      run.give("out.tensor", values_of(image, plain));
      run.give("out.normalized", values_of(image, imagenet));
      run.give("out.scaled255", values_of(image, {.order = Channels::rgb, .scale = 1, .mean = {}}));
    }};

void give_moments(Run& run, const Image& image) {
  const Tensor values = values_of(image, imagenet);
  std::vector<double> mean, deviation;
  for (std::int64_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    const auto channel = values.row<float>(c);
    const auto n = static_cast<double>(channel.size());
    for (const float v : channel) sum += static_cast<double>(v);
    mean.push_back(sum / n);
    for (const float v : channel) squares += std::pow(static_cast<double>(v) - sum / n, 2);
    deviation.push_back(std::sqrt(squares / (n - 1)));
  }
  run.give("out.channel_mean", mean);
  run.give("out.channel_std", deviation);
}

const AddGolden chain{
    "images", "eval_chain", [](Run& run) {
      const Case& given = run.given();
      Pipeline pipeline;
      pipeline.then("resize_shorter", {{"to", given.text("resize")}}, {});
      pipeline.then("center_crop", {{"size", given.text("crop")}}, {});
      RandomSequence random(Random(0, Purpose::augment));
      const Image image = pipeline.run(image_of(run.tensor("in.image")), random);
      run.give("out.u8", tensor_of(image));
      const auto give = [&](const std::string& name, const Preprocessing& preprocessing) {
        if (given.has(name)) run.give(name, values_of(image, preprocessing));
      };
      Preprocessing intra_batch = imagenet;
      intra_batch.std[0] = .299;
      give("out.imagenet", imagenet);
      give("out.intra_batch_std", intra_batch);
      give("out.bgr255", {.order = Channels::bgr, .scale = 1, .mean = {104, 117, 128}});
      give("out.revisiting_bninception", {.order = Channels::bgr,
                                          .scale = 1.0 / 255,
                                          .mean = {.4078, .4588, .502},
                                          .std = {.0039, .0039, .0039}});
      if (given.has("out.channel_mean")) give_moments(run, image);
    }};

const AddGolden erased{
    "images", "erase", [](Run& run) {
      const Case& given = run.given();
      const Tensor file = given.at("in.tensor");
      Tensor values = to_channels_last(file.reshape({1, 3, file.dim(1), file.dim(2)}));
      const std::vector<double> colour = given.numbers("value");
      erase(values.raw<float>(), {file.dim(1), file.dim(2)},
            {given.integer("left"), given.integer("top"), given.integer("width"),
             given.integer("height")},
            {static_cast<float>(colour[0]), static_cast<float>(colour[1]),
             static_cast<float>(colour[2])});
      run.give("out.tensor", to_channels_first(values).reshape(file.shape()));
    }};

/// Pixels of the other modes of pictures. What a decoder does for them is libjpeg's or libpng's
/// affair but for CMYK, which is ours.
const AddGolden modes{
    "images", "to_rgb", [](Run& run) {
      const Tensor in = run.tensor("in.image");
      const std::string mode = run.given().text("mode");
      const std::int64_t channels = in.rank() == 3 ? in.dim(2) : 1;
      Image out(in.dim(0), in.dim(1));
      const int scale = mode == "1" ? 255 : 1;
      const auto* from = in.raw<std::uint8_t>();
      for (std::int64_t i = 0; i < in.dim(0) * in.dim(1); ++i) {
        std::uint8_t* rgb = out.pixels.data() + 3 * i;
        const std::uint8_t* pixel = from + channels * i;
        if (mode == "CMYK") {
          cmyk_to_rgb(pixel, rgb);
        } else if (mode == "P") {
          std::memcpy(rgb, run.tensor("in.palette").row<std::uint8_t>(*pixel).data(), 3);
        } else {
          for (int c = 0; c < 3; ++c)
            rgb[c] = static_cast<std::uint8_t>(scale * (channels >= 3 ? pixel[c] : pixel[0]));
        }
      }
      run.give("out.image", tensor_of(out));
    }};

const AddGolden decoded{
    "images", "decode_jpeg", [](Run& run) {
      const Case& given = run.given();
      try {
        run.give("out.image",
                 tensor_of(read_picture(given.file().parent_path() / given.text("file"))));
      } catch (const FormatError&) {
        if (given.text("expect", "image") != "image_or_error") throw;
        run.ignore("out.image", "an error is as good here, the case says");
      }
    }};

}  // namespace
}  // namespace dml::golden
