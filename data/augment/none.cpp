#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// Training images are looked at as test images are.
class NoAugment final : public Augment {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };

  NoAugment(Options, const Setup& setup) : size_(setup.size) {}
  Pipeline train() const override { return test_view(size_); }
  Pipeline test() const override { return test_view(size_); }

 private:
  std::int64_t size_;
};

const Register<Augment, NoAugment> none_augment{{
    .name = "none",
    .summary = "training as at test time: shorter side 256, centre crop",
}};

}  // namespace
}  // namespace dml
