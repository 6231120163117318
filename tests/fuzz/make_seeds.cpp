// Writes the seeds of all fuzz targets: make_seeds FOLDER gives FOLDER/pickle/.., FOLDER/zip/..
#include <cstdio>

#include "data/image/jpeg.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "engine/preprocessing.hpp"
#include "engine/safetensors.hpp"
#include "tests/data/tar_file.hpp"
#include "tests/weights_convert/torch_file.hpp"
#include "weights_convert/torch_writer.hpp"

namespace {

namespace fs = std::filesystem;
using namespace dml;
using namespace dml::testing;

void write(const fs::path& folder, const std::string& target, const std::string& name,
           const std::string& bytes) {
  fs::create_directories(folder / target);
  write_file_atomically(folder / target / name, bytes);
}

/// Objects that a checkpoint may hold, with one storage "0" of six floats.
std::vector<std::pair<std::string, std::string>> objects(bool legacy) {
  using namespace pickle;
  const std::string six = tensor(storage("0", 6, "FloatStorage", legacy), 0, {2, 3}, {3, 1});
  const std::string part = tensor(storage("0", 6, "FloatStorage", legacy), 1, {2}, {2});
  const std::string ordered = call(global("collections", "OrderedDict"), ")");
  return {{"tensor", six},
          {"dict", dict({{text("w"), six}, {text("b"), part}})},
          {"nested", dict({{text("state_dict"), dict({{text("module.w"), six}})},
                           {text("epoch"), number(3)},
                           {text("best"), "G" + std::string(8, '\x40')}})},
          {"ordered", ordered + "(" + text("w") + six + "u}" + text("_metadata") + ordered + "sb"},
          {"list", list({six, list({part, "N", "\x88"})})},
          {"parameter", dict({{text("p"), call(global("torch._utils", "_rebuild_parameter"),
                                               tuple({six, "\x88", ordered}))}})},
          {"opaque", dict({{text("w"), six},
                           {text("opt"), global("argparse", "Namespace") + ")\x81}" + text("lr") +
                                             number(1) + "sb"}})},
          {"evil", call(global("posix", "system"), tuple({text("true")}))}};
}

void write_tensors(const fs::path& folder) {
  for (const auto& [name, object] : objects(false)) {
    write(folder, "pickle", name, pickle::file(object));
    write(folder, "zip", name, zip_checkpoint(object, {{"0", floats(6)}}));
  }
  for (const auto& [name, object] : objects(true))
    write(folder, "legacy", name, legacy_checkpoint(object, {{"0", 6, floats(6)}}));
  SafeTensors contents;
  for (const DType type : {DType::f32, DType::bf16, DType::i64, DType::boolean})
    contents.tensors.emplace_back(std::string("t.") + name_of(type), Tensor({2, 3}, type));
  contents.metadata = {{"net", "resnet18"}, {"epoch", "3"}};
  fs::create_directories(folder / "safetensors");
  write_safetensors(folder / "safetensors/four", contents);
  write_safetensors(folder / "safetensors/none", {});
  weights::write_torch(folder / "zip/written", contents.tensors);
  fs::create_directories(folder / "npy");
  for (const DType type : {DType::f32, DType::f64, DType::i64, DType::u8})
    write_npy(folder / "npy" / name_of(type), Tensor({2, 3}, type));
}

void write_texts(const fs::path& folder) {
  write(folder, "toml", "flat", "batch_size = 8\nrate = 0.5\nmetrics = [\"a\", \"b\"]\n");
  write(folder, "toml", "tables",
        "# a run\noverwrite = true\nmode = 'b'\n[groups.head]\nlr = 1e-3\n[groups]\nx.lr = 2\n");
  write(folder, "json", "default", to_json(Preprocessing{}));
  write(folder, "json", "bgr",
        to_json({.order = Channels::bgr, .scale = 1, .mean = {104, 117, 128}}));
}

void write_pictures(const fs::path& folder) {
  for (const std::int64_t side : {1, 8, 17, 40}) {
    Image image(side, side + 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<std::uint8_t>(i * 7);
    for (const int quality : {20, 95})
      write(folder, "jpeg", std::to_string(side) + "-" + std::to_string(quality),
            encode_jpeg(image, quality));
  }
}

void write_archives(const fs::path& folder) {
  const std::string file = tar_entry("a/one", "one");
  write(folder, "tar", "plain", tar_entry("a/", "", '5') + file + tar_end());
  write(folder, "tar", "extended", tar_extended("path", "a/two") + file + tar_end());
  write(folder, "tar", "long", tar_entry("long", std::string(200, 'n'), 'L') + file + tar_end());
  write(folder, "tar", "links", tar_entry("link", "", '2') + tar_entry("x", "y", '0', "z"));
}

}  // namespace

int main(int count, char* words[]) {
  if (count != 2) {
    std::fputs("usage: make_seeds FOLDER\n", stderr);
    return 2;
  }
  write_tensors(words[1]);
  write_texts(words[1]);
  write_pictures(words[1]);
  write_archives(words[1]);
  return 0;
}
