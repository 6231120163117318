#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/cpu/parallel.hpp"
#include "engine/kernel.hpp"
#include "engine/parameter.hpp"
#include "engine/random.hpp"
#include "engine/registry.hpp"

namespace dml {
namespace {

struct Sample {
  static constexpr const char* kind = "sample";
  struct Setup {
    int value;
  };
  virtual ~Sample() = default;
  virtual double get() const = 0;
};

class Weighted final : public Sample {
 public:
  struct Options {
    double weight = 2;
    std::int64_t count = 1;
    bool on = true;
    std::string mode = "mean";
    static constexpr std::tuple fields{
        field("weight", &Options::weight, "factor", {0, 10}),
        field("count", &Options::count, "how many"),
        field("on", &Options::on, "whether it counts"),
        field("mode", &Options::mode, "how to combine", "mean|sum"),
    };
  };
  Weighted(Options options, const Setup& setup) : options_(options), value_(setup.value) {}
  double get() const override {
    return options_.on ? options_.weight * value_ * static_cast<double>(options_.count) : 0;
  }

 private:
  Options options_;
  int value_;
};
const Register<Sample, Weighted> registered{
    {.name = "weighted_sample", .summary = "a sample", .aliases = {"ws"}}};

TEST_CASE("registry: names ignore case, hyphens and underscores; aliases hold") {
  CHECK(Registry<Sample>::make("Weighted-Sample", {{"weight", "3"}}, {2})->get() == 6);
  CHECK(Registry<Sample>::make("WS", {{"on", "no"}}, {2})->get() == 0);
}

void refuses(const std::string& name, const Settings& settings, const std::string& text) {
  CHECK_THROWS_WITH_AS(Registry<Sample>::make(name, settings, {1}), text.c_str(), UsageError);
}

TEST_CASE("registry and schema: errors name the nearest, the range, the choices") {
  refuses("wieghted_sample", {},
          "no sample named 'wieghted_sample'; did you mean 'weighted_sample'?");
  const std::string who = "sample 'weighted_sample': ";
  refuses("ws", {{"wieght", "1"}}, who + "no option named 'wieght'; did you mean 'weight'?");
  refuses("ws", {{"weight", "11"}},
          who + "weight: 11 is out of range; a value from 0 to 10 is wanted");
  refuses("ws", {{"weight", "1x"}}, who + "weight: '1x' is not a number");
  refuses("ws", {{"weight", "nan"}}, who + "weight: 'nan' is not a number");
  refuses("ws", {{"count", "1.5"}}, who + "count: '1.5' is not a whole number");
  refuses("ws", {{"mode", "summ"}}, who + "mode: 'summ' is not a choice; did you mean 'sum'?");
}

TEST_CASE("schema: writing and reading options gives the same values") {
  const Weighted::Options options{.weight = 0.1, .count = -3, .on = false, .mode = "sum"};
  const auto back = read<Weighted::Options>(write(options));
  CHECK(back.weight == options.weight);
  CHECK(back.count == -3);
  CHECK_FALSE(back.on);
  CHECK(back.mode == "sum");
  CHECK(describe<Weighted::Options>().at(0).fallback == "2");
}

TEST_CASE("random: streams are pure functions with the right moments") {
  const Random one(1, Purpose::augment, 2, 3), same(1, Purpose::augment, 2, 3);
  const Random other(1, Purpose::augment, 2, 4);
  double mean = 0, square = 0, gauss = 0, gauss_square = 0;
  const int n = 20000;
  int equal_to_other = 0, unequal_to_same = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double u = one.uniform(i);
    unequal_to_same += u != same.uniform(i) ? 1 : 0;
    equal_to_other += u == other.uniform(i) ? 1 : 0;
    mean += u / n;
    square += u * u / n;
    const double g = one.normal(i);
    gauss += g / n;
    gauss_square += g * g / n;
  }
  CHECK(unequal_to_same == 0);
  CHECK(equal_to_other == 0);
  CHECK(std::abs(mean - 0.5) < 0.01);
  CHECK(std::abs(square - 1.0 / 3) < 0.01);
  CHECK(std::abs(gauss) < 0.03);
  CHECK(std::abs(gauss_square - 1) < 0.04);
}

TEST_CASE("random: the bits never change between versions") {
  const Random one(42, Purpose::shuffle, 1, 2);
  const std::array<std::uint32_t, 5> now{one.bits(0), one.bits(1), one.bits(2), one.bits(3),
                                         one.bits(4)};
  CHECK(now == std::array<std::uint32_t, 5>{0x9BC923D0U, 0xED92E0C4U, 0xB397B606U, 0x40068700U,
                                            0xD8F31CA8U});
}

TEST_CASE("random: a shuffle is a permutation") {
  RandomSequence sequence(Random(5, Purpose::shuffle));
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  sequence.shuffle(items);
  CHECK_FALSE(std::is_sorted(items.begin(), items.end()));
  std::sort(items.begin(), items.end());
  for (int i = 0; i < 100; ++i) CHECK(items[static_cast<std::size_t>(i)] == i);
}

bool equal(const Tensor& a, const Tensor& b) {
  return std::equal(a.data<float>().begin(), a.data<float>().end(), b.data<float>().begin());
}

TEST_CASE("parameters: a value depends on its name alone; files have PyTorch's layout") {
  Device device(Backend::cpu);
  ParameterStore a(device, DType::f32, 3), b(device, DType::f32, 3);
  Scope(b).parameter("first", {5}, init::normal(1));
  const auto add = [](ParameterStore& store) -> Parameter& {
    const Scope place = Scope(store) / "layer1" / 0;
    return place.parameter("weight", {2, 3, 1, 4}, init::normal(1), FileLayout::conv_weight);
  };
  Parameter &x = add(a), &y = add(b);
  CHECK(x.name == "layer1.0.weight");
  CHECK(equal(x.value, y.value));
  CHECK_THROWS_AS(add(a), Error);
  CHECK(x.file_shape() == Shape{2, 4, 3, 1});
  const Tensor file = x.to_file().clone();
  CHECK(file.data<float>()[1] == x.value.data<float>()[4]);  // file [0,0,1,0] is memory [0,1,0,0]
  y.value = Tensor(y.value.shape(), DType::f32);
  y.from_file(file, device);
  CHECK(equal(x.value, y.value));
  CHECK_THROWS_AS(y.from_file(Tensor({2, 3, 1, 4}, DType::f32), device), ShapeError);
}

TEST_CASE("parallel_for: every index once, for any number of threads") {
  for (const int threads : {1, 2, 3, 7}) {
    for (const std::int64_t n : {0, 1, 5, 1000}) {
      std::vector<int> seen(static_cast<std::size_t>(n));
      cpu::parallel_for(threads, n, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
      std::vector<std::int64_t> partial(8);
      const auto note = [&](int part, std::int64_t first, std::int64_t last) {
        partial[static_cast<std::size_t>(part)] = last - first;
      };
      CHECK(cpu::parallel_parts(threads, n, 1, note) <= threads);
      CHECK(std::accumulate(partial.begin(), partial.end(), std::int64_t{0}) == n);
    }
  }
}

TEST_CASE("device: unknown names, absent devices") {
  CHECK_THROWS_WITH_AS(Device::open("cdua"), "no device named 'cdua'; did you mean 'cuda'?",
                       UsageError);
  CHECK_THROWS_AS(Device::open("cuda:x"), UsageError);
  CHECK_THROWS_AS(Device::open("cuda:99"), DeviceError);
  CHECK(Device::open("cpu", 2).threads() == 2);
  CHECK(Device::open("reference").backend() == Backend::reference);
}

// A kernel of the test alone; it is registered, so that it shows in KernelBase::all() here only.
constinit Kernel<void(const Tensor&, int&)> probe{"probe"};
constinit Kernel<void(const Tensor&, int&)> absent{"absent"};

TEST_CASE("kernel: an absent slot is an ordinary error, cpu falls back to reference for f64") {
  probe.add(Backend::reference, [](Device&, const Tensor&, int& out) { out = 1; });
  probe.add(Backend::cpu, [](Device&, const Tensor&, int& out) { out = 2; });
  Device cpu(Backend::cpu);
  int out = 0;
  probe(cpu, Tensor({1}, DType::f32), out);
  CHECK(out == 2);
  probe(cpu, Tensor({1}, DType::f64), out);
  CHECK(out == 1);
  CHECK(probe.uses(Backend::reference) == 1);
  CHECK_THROWS_AS(absent(cpu, Tensor({1}, DType::f32), out), DeviceError);
}

}  // namespace
}  // namespace dml
