#include <fmt/core.h>

#include <numeric>

#include "dml/sampler.hpp"

namespace dml {
namespace {

std::int64_t size_or(const Sampler::Setup& setup, std::int64_t fallback) {
  return setup.batch_size != 0 ? setup.batch_size : fallback;
}

/// `batch` consecutive entries of order at a time.
std::vector<std::vector<std::int64_t>> cut(const std::vector<std::int64_t>& order,
                                           std::int64_t batch, bool drop_last) {
  std::vector<std::vector<std::int64_t>> plan;
  const auto size = static_cast<std::size_t>(batch);
  for (std::size_t first = 0; first < order.size(); first += size) {
    const std::size_t last = std::min(first + size, order.size());
    if (drop_last && last - first < size) break;
    plan.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(first),
                      order.begin() + static_cast<std::ptrdiff_t>(last));
  }
  return plan;
}

/// What the two samplers below share.
class WholeSetSampler : public Sampler {
 public:
  struct Options {
    bool drop_last = false;
    static constexpr std::tuple fields{
        field("drop_last", &Options::drop_last, "leave out the last batch when it is incomplete")};
  };

  WholeSetSampler(Options options, const Setup& setup)
      : options_(options),
        images_(static_cast<std::int64_t>(setup.labels.size())),
        batch_size_(size_or(setup, 32)),
        seed_(setup.seed) {
    if (batch_size_ < 1)
      throw UsageError(
          fmt::format("a batch of {} images was asked for; at least 1 is needed", batch_size_));
    if (options_.drop_last && images_ < batch_size_)
      throw UsageError(fmt::format(
          "{} images give no whole batch of {}\n  take a smaller batch, or drop_last = false",
          images_, batch_size_));
  }

  std::int64_t batch_size() const override { return batch_size_; }
  std::string epoch_meaning() const override {
    return options_.drop_last ? "every image once, without an incomplete last batch"
                              : "every image once, the last batch may be smaller";
  }

 protected:
  std::vector<std::vector<std::int64_t>> cut_order(const std::vector<std::int64_t>& order) const {
    return cut(order, batch_size_, options_.drop_last);
  }
  std::vector<std::int64_t> in_order() const {
    std::vector<std::int64_t> order(static_cast<std::size_t>(images_));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    return order;
  }
  std::uint64_t seed() const { return seed_; }

 private:
  Options options_;
  std::int64_t images_;
  std::int64_t batch_size_;
  std::uint64_t seed_;
};

class Shuffle final : public WholeSetSampler {
 public:
  using WholeSetSampler::WholeSetSampler;
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    std::vector<std::int64_t> order = in_order();
    RandomSequence(stream(seed(), epoch)).shuffle(order);
    return cut_order(order);
  }
};

class Sequential final : public WholeSetSampler {
 public:
  using WholeSetSampler::WholeSetSampler;
  std::vector<std::vector<std::int64_t>> plan(std::int64_t) const override {
    return cut_order(in_order());
  }
};

const Register<Sampler, Shuffle> shuffle{{
    .name = "shuffle",
    .summary = "every image once an epoch, in random order",
}};
const Register<Sampler, Sequential> sequential{{
    .name = "sequential",
    .summary = "every image once an epoch, in the order of the dataset",
}};

}  // namespace
}  // namespace dml
