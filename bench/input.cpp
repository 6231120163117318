// input: how many pictures per second one core makes ready for a net, step by step.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>

#include "data/image/reader.hpp"
#include "data/image/resample.hpp"
#include "data/normalize.hpp"
#include "data/transform.hpp"
#include "engine/file.hpp"

namespace {

using namespace dml;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Pictures per second of processor time: the median of five runs over all files.
double rate(const std::vector<std::string>& files,
            const std::function<void(const std::string&, std::uint64_t)>& step) {
  std::vector<double> rates;
  for (int run = 0; run < 5; ++run) {
    const double start = processor_seconds();
    for (std::size_t i = 0; i < files.size(); ++i) step(files[i], i);
    rates.push_back(static_cast<double>(files.size()) / (processor_seconds() - start));
  }
  std::sort(rates.begin(), rates.end());
  return rates[2];
}

int run(const std::string& folder, std::int64_t size) {
  std::vector<std::string> files;
  double bytes = 0, pixels = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files.push_back(read_file(entry.path()));
    const Size picture = open_picture(files.back(), entry.path().string())->size();
    bytes += static_cast<double>(files.back().size());
    pixels += static_cast<double>(picture.height * picture.width);
  }
  if (files.empty()) throw DataError(folder + ": no pictures");
  const auto count = static_cast<double>(files.size());
  fmt::print(
      "{} pictures, {:.0f} KB and {:.2f} Mpixel on average; pictures per second of one core\n",
      files.size(), bytes / count / 1e3, pixels / count / 1e6);

  const auto augment = Registry<Augment>::make("standard", {}, {size});
  const Pipeline train = augment->train(), test = augment->test();
  const Preprocessing preprocessing{};
  const auto table = value_table(preprocessing);
  std::vector<float> values(static_cast<std::size_t>(size * size * 3));
  const auto sequence = [](std::uint64_t i) {
    return RandomSequence(Random(0, Purpose::augment, 0, i));
  };
  const auto whole = [](const std::string& file, std::uint64_t) {
    decode_picture(file, "picture");
  };
  const auto region = [&](const std::string& file, std::uint64_t i) {
    RandomSequence random = sequence(i);
    const auto decoder = open_picture(file, "picture");
    Image image;
    decoder->read(train.region(decoder->size(), random), image);
  };
  const auto ready = [&](const Pipeline& pipeline, bool cut) {
    return [&, cut](const std::string& file, std::uint64_t i) {
      RandomSequence random = sequence(i);
      Image image;
      if (cut) {
        const auto decoder = open_picture(file, "picture");
        decoder->read(pipeline.region(decoder->size(), random), image);
        pipeline(image, random);
      } else {
        image = pipeline.run(decode_picture(file, "picture"), random);
      }
      normalize(image, preprocessing, table, values.data());
    };
  };
  std::vector<Image> decoded;
  for (const std::string& file : files) decoded.push_back(decode_picture(file, "picture"));
  const auto transforms = [&](const std::string&, std::uint64_t i) {
    RandomSequence random = sequence(i);
    const Image image = train.run(decoded[i], random);
    normalize(image, preprocessing, table, values.data());
  };
  fmt::print("  decode                                   {:7.0f}\n", rate(files, whole));
  fmt::print("  decode the crop alone                    {:7.0f}\n", rate(files, region));
  fmt::print("  crop, resize, flip, normalise alone      {:7.0f}\n", rate(files, transforms));
  fmt::print("  training view, whole picture decoded     {:7.0f}\n",
             rate(files, ready(train, false)));
  fmt::print("  training view                            {:7.0f}\n",
             rate(files, ready(train, true)));
  fmt::print("  test view                                {:7.0f}\n",
             rate(files, ready(test, true)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures decoding and preprocessing of the pictures below a folder, one thread."};
  std::string folder;
  std::int64_t size = 224;
  app.add_option("folder", folder, "with JPEG or PNG files")->required();
  app.add_option("--size", size, "side of the net's input, pixels");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(folder, size);
  } catch (const dml::Error& error) {
    std::cerr << "input: " << error.what() << "\n";
    return error.exit_code();
  }
}
