#include "tests/fill.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>

namespace dml::testing {
namespace {

struct Known {
  const char* name;
  Shape shape;
  std::array<std::uint32_t, 4> first;
  std::uint32_t last;
  double sum;
};

const std::array<Known, 10> known{{
    {"conv1.weight",
     {64, 3, 7, 7},
     {0x3c953384, 0x3dcae021, 0xbe45652a, 0x3dc3752c},
     0xbdf8793d,
     -10.5822925686},
    {"bn1.weight",
     {64},
     {0x3f6e1b2a, 0x3f94c31e, 0x3f846d93, 0x3f5fec44},
     0x3f7e0481,
     63.5768883228},
    {"bn1.bias",
     {64},
     {0xbda7d5e6, 0xbdeb70db, 0x3dbe7669, 0x3d7d82b7},
     0xbd16fb44,
     -0.930844730887},
    {"bn1.running_mean",
     {64},
     {0x3d7013a8, 0x3cce112c, 0x3c2c6e68, 0x3dbfd5ea},
     0xbdb71782,
     0.149779424071},
    {"bn1.running_var",
     {64},
     {0x3f891b91, 0x3f925a2b, 0x3f9e213e, 0x3f78d01e},
     0x3f9066e7,
     64.1659161448},
    {"layer1.0.bn3.weight",
     {256},
     {0x3e50d205, 0x3e9f3e88, 0x3e9d530e, 0x3e7b5dd8},
     0x3e921823,
     63.9674443007},
    {"fc.weight",
     {1000, 2048},
     {0xbad9dc25, 0x3d2510f5, 0x3cd7f5dd, 0x3cb1cf99},
     0x3d3f4a04,
     -58.7055416122},
    {"fc.bias",
     {1000},
     {0xbbb7149b, 0xbb9dd84e, 0xbd613725, 0xbd54009d},
     0xbd2c210c,
     -0.11761542334},
    {"conv1_7x7_s2.bias",
     {64},
     {0x3b94f8e0, 0x3cc99f89, 0x3db1e4a0, 0xbd4a6620},
     0x3cb4a9bf,
     -0.0232739322819},
    {"features.denseblock1.denselayer1.norm1.weight",
     {64},
     {0x3f5c33d4, 0x3f8efbb8, 0x3f8fe5fc, 0x3f88274a},
     0x3f554d82,
     62.7160328031},
}};

void check(const Tensor& tensor, const Known& one) {
  CAPTURE(one.name);
  const auto values = tensor.data<float>();
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(std::bit_cast<std::uint32_t>(values[i]) == one.first[i]);
  CHECK(std::bit_cast<std::uint32_t>(values[values.size() - 1]) == one.last);
  CHECK(sum == doctest::Approx(one.sum).epsilon(1e-11));
}

TEST_CASE("fill: known words and values") {
  CHECK(fill_seed("") == 0xcbf29ce484222325ULL);
  CHECK(fill_seed("a") == 0xaf63dc4c8601ec8cULL);
  const std::uint64_t seed = fill_seed("conv1.weight");
  CHECK(seed == 0x69a29a2cee47d254ULL);
  CHECK(fill_word(seed, 0) == 0x8b8a08a85128a1b0ULL);
  CHECK(fill_word(seed, 3) == 0xbc7775e7ed8d088aULL);
  for (const Known& one : known) check(fill_tensor(one.name, one.shape), one);
  check(
      fill_stream("input", {2, 3, 64, 64}, 2),
      {"input", {}, {0xbfcdeac1, 0x3f1c045f, 0xbf97be8f, 0xbf66f7fa}, 0xbfef6a2d, -159.830699092});
  const Tensor stream = fill_stream("probe", {2, 512}, 1);
  const auto probe = stream.data<float>();
  CHECK(std::bit_cast<std::uint32_t>(probe[0]) == 0xbf024316U);
  CHECK(std::bit_cast<std::uint32_t>(probe[3]) == 0x3f04fc47U);
}

}  // namespace
}  // namespace dml::testing
