#include <fmt/core.h>

#include <algorithm>

#include "dml/samplers/draws.hpp"

namespace dml {
namespace {

/// Stratified batches: every image once an epoch, and every batch holds of each class its share of
/// the training set, as nearly as whole images allow. The images of a class, shuffled, are laid
/// evenly over the epoch, each class with an offset of its own; batches are cut from that line.
class Proportional final : public Sampler {
 public:
  struct Options {
    bool drop_last = false;
    static constexpr std::tuple fields{
        field("drop_last", &Options::drop_last, "leave out the last batch when it is incomplete")};
  };
  Proportional(Options options, const Setup& setup)
      : options_(options),
        seed_(setup.seed),
        classes_(images_by_class(setup.labels)),
        images_(std::ssize(setup.labels)),
        size_(setup.batch_size != 0 ? setup.batch_size : 32) {
    if (options_.drop_last && images_ < size_)
      throw UsageError(
          fmt::format("{} images give no whole batch of {}\n  take a smaller batch, or drop_last = "
                      "false",
                      images_, size_));
  }
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch));
    std::vector<std::pair<double, std::int64_t>> line;  // place in the epoch, image
    for (std::vector<std::int64_t> members : classes_) {
      random.shuffle(members);
      const double offset = random.uniform();
      for (std::size_t i = 0; i < members.size(); ++i)
        line.emplace_back((static_cast<double>(i) + offset) / static_cast<double>(members.size()),
                          members[i]);
    }
    std::sort(line.begin(), line.end());
    std::vector<std::vector<std::int64_t>> plan;
    for (std::int64_t first = 0; first < images_; first += size_) {
      const std::int64_t last = std::min(first + size_, images_);
      if (options_.drop_last && last - first < size_) break;
      auto& batch = plan.emplace_back();
      for (std::int64_t i = first; i < last; ++i)
        batch.push_back(line[static_cast<std::size_t>(i)].second);
    }
    random.shuffle(plan);
    return plan;
  }
  std::int64_t batch_size() const override { return size_; }
  std::string epoch_meaning() const override {
    return options_.drop_last
               ? "every image once, batches with the classes in proportion to their sizes, without "
                 "an incomplete batch"
               : "every image once, batches with the classes in proportion to their sizes; one may "
                 "be smaller";
  }

 private:
  Options options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
  std::int64_t images_, size_;
};

const Register<Sampler, Proportional> proportional_sampler{{
    .name = "proportional",
    .summary = "every image once an epoch, each class in every batch by its share",
    .aliases = {"stratified"},
}};

}  // namespace
}  // namespace dml
