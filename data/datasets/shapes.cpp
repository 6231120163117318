#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

#include "data/dataset.hpp"
#include "data/datasets/cub_layout.hpp"
#include "data/datasets/shape_painter.hpp"
#include "data/image/jpeg.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Pictures of figures with lobes and patterns, drawn by the program at first use into JPEG files
/// in CUB's layout. Colours, place, size, rotation, light and background vary freely within a
/// class, so that neither colours nor texture of the whole picture give it away. The first half of
/// the classes trains; the others, figures never seen, test.
class Shapes final : public Dataset {
 public:
  struct Options {
    std::int64_t classes = 48;
    std::int64_t images = 30;
    std::int64_t seed = 0;
    static constexpr std::tuple fields{
        field("classes", &Options::classes, "how many figures", {2, shapes::figure_count}),
        field("images", &Options::images, "pictures of each", {2, 10000}),
        field("seed", &Options::seed, "another seed draws other pictures", {0, 1e15})};
  };

  Shapes(Options options, const Setup& setup) : options_(options), setup_(setup) {}

  Manifest read() const override {
    const fs::path folder = setup_.root / name();
    if (!ready(folder) && !setup_.may_write)
      throw DataError("shapes: the pictures are not drawn yet in " + folder.string());
    if (!ready(folder)) draw(folder);
    return read_cub_layout(folder, 0, "shapes");
  }

  std::optional<Expected> expected() const override {
    const std::int64_t train = (options_.classes + 1) / 2, test = options_.classes - train;
    return Expected{train * options_.images, train, test * options_.images, test};
  }

 private:
  /// To be raised whenever the pictures change.
  static constexpr int version = 1;

  std::string name() const {
    return fmt::format("shapes-{}x{}{}", options_.classes, options_.images,
                       options_.seed == 0 ? "" : fmt::format("-seed{}", options_.seed));
  }
  std::string marker_text() const {
    return fmt::format("drawn by dml, version {}: {} classes, {} pictures each, seed {}\n", version,
                       options_.classes, options_.images, options_.seed);
  }
  static fs::path marker(const fs::path& folder) { return folder / "drawn_by_dml.txt"; }

  /// The marker is written last, so a folder that has it is whole.
  bool ready(const fs::path& folder) const {
    return fs::exists(marker(folder)) && read_file(marker(folder)) == marker_text();
  }

  /// Draws beside the final place and renames, so that nobody ever sees half a set.
  void draw(const fs::path& folder) const {
    if (fs::exists(folder) && !fs::exists(marker(folder)))
      throw DataError(fmt::format(
          "shapes: {} exists, but this program did not draw it\n  move it away, or choose another "
          "--data-dir",
          folder.string()));
    if (setup_.notice)
      setup_.notice(fmt::format("shapes: drawing {} pictures into {}",
                                options_.classes * options_.images, folder.string()));
    const fs::path fresh = folder.string() + fmt::format(".tmp-{}", ::getpid());
    try {
      fill(fresh);
      publish(fresh, folder);
    } catch (const fs::filesystem_error& error) {
      std::error_code ignored;
      fs::remove_all(fresh, ignored);
      throw DataError(
          fmt::format("shapes: the pictures cannot be written: {}\n  choose another "
                      "--data-dir",
                      error.what()));
    } catch (...) {
      std::error_code ignored;
      fs::remove_all(fresh, ignored);
      throw;
    }
  }

  void publish(const fs::path& fresh, const fs::path& folder) const {
    const fs::path old = folder.string() + fmt::format(".old-{}", ::getpid());
    std::error_code none;
    if (fs::exists(folder) && !ready(folder)) fs::rename(folder, old, none);
    std::error_code failure;
    fs::rename(fresh, folder, failure);
    // Another process may have drawn the same pictures in the meantime.
    if (failure && !ready(folder)) throw fs::filesystem_error("rename", fresh, folder, failure);
    fs::remove_all(fresh, none);
    fs::remove_all(old, none);
  }

  std::string class_name(std::int64_t label) const {
    static constexpr const char* patterns[] = {"plain",        "hole",           "ring",
                                               "wide_stripes", "narrow_stripes", "dots"};
    const shapes::Figure f = shapes::figure(static_cast<int>(label));
    return fmt::format("{:03}.{}_lobes_{}_{}", label + 1, f.lobes, f.depth > 0.2 ? "deep" : "flat",
                       patterns[f.pattern]);
  }
  std::string path(std::int64_t label, std::int64_t k) const {
    const std::string name = class_name(label);
    return fmt::format("{}/{}_{:04}.jpg", name, name.substr(4), k + 1);
  }

  void fill(const fs::path& fresh) const {
    std::string images, labels, classes;
    for (std::int64_t label = 0, id = 1; label < options_.classes; ++label) {
      fs::create_directories(fresh / "images" / class_name(label));
      classes += fmt::format("{} {}\n", label + 1, class_name(label));
      for (std::int64_t k = 0; k < options_.images; ++k, ++id) {
        images += fmt::format("{} {}\n", id, path(label, k));
        labels += fmt::format("{} {}\n", id, label + 1);
      }
    }
    draw_images(fresh / "images");
    write_file_atomically(fresh / "images.txt", images);
    write_file_atomically(fresh / "image_class_labels.txt", labels);
    write_file_atomically(fresh / "classes.txt", classes);
    write_file_atomically(marker(fresh), marker_text());
  }

  /// Every picture depends on its own number alone, so the threads share nothing but a counter.
  void draw_images(const fs::path& folder) const {
    const std::int64_t count = options_.classes * options_.images;
    std::atomic<std::int64_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
      try {
        for (std::int64_t i = next++; i < count; i = next++) draw_one(folder, i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = count;
      }
    };
    std::vector<std::thread> threads;
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 1; i < cores; ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
  }

  void draw_one(const fs::path& folder, std::int64_t i) const {
    const std::int64_t label = i / options_.images, k = i % options_.images;
    const Random random(static_cast<std::uint64_t>(options_.seed), Purpose::render,
                        static_cast<std::uint64_t>(label), static_cast<std::uint64_t>(k));
    const Image image = shapes::paint(shapes::figure(static_cast<int>(label)), random);
    const std::string bytes = encode_jpeg(image, 90);
    const fs::path file = folder / path(label, k);
    std::FILE* out = std::fopen(file.c_str(), "wb");
    const bool written =
        out != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
    const bool closed = out != nullptr && std::fclose(out) == 0;
    if (!written || !closed)
      throw DataError(
          fmt::format("shapes: {} cannot be written\n  is the disk full? choose another "
                      "--data-dir",
                      file.string()));
  }

  Options options_;
  Setup setup_;
};

const Register<Dataset, Shapes> shapes_dataset{{
    .name = "shapes",
    .summary = "figures with lobes and patterns, drawn by the program itself at first use",
    .details = "48 figures by 30 pictures of 96 to 128 pixels, in CUB's layout below the data "
               "folder. The figures differ in the number and depth of their lobes and in their "
               "pattern; colours, place, size, rotation, slant, light and background vary freely.",
}};

}  // namespace
}  // namespace dml
