#include <doctest/doctest.h>

#include <cmath>

#include "dml/clip.hpp"
#include "dml/optimizers/adam.hpp"
#include "dml/optimizers/fused.hpp"
#include "dml/retrieval/search.hpp"
#include "engine/random.hpp"

// Kernels that no op case reaches: steps of optimizers, norms of gradients, search.
namespace dml::testing {
namespace {

Tensor normal(const Shape& shape, std::uint64_t index) {
  Tensor values(shape, DType::f32);
  const Random random(11, Purpose::weights, 0, index);
  const auto out = values.data<float>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(random.normal(i));
  return values;
}

void close(const Tensor& got, const Tensor& want) {
  const Tensor a = got.to(DType::f64), b = want.to(DType::f64);
  REQUIRE(a.shape() == b.shape());
  for (std::size_t i = 0; i < a.data<double>().size(); ++i)
    REQUIRE(a.data<double>()[i] == doctest::Approx(b.data<double>()[i]).epsilon(1e-5));
}

TEST_CASE("emulated GPU: a fused step of more parameters than fit one launch") {
  Device reference(Backend::reference), cuda(Backend::cuda);
  using Rule = AdamRule<true>;
  std::vector<Update> ours, theirs;
  std::vector<float> scalars;
  for (std::uint64_t p = 0; p < 70; ++p) {
    const Shape shape{static_cast<std::int64_t>(p * p % 23), 3};  // an empty one among them
    const auto fill = [&](const Device& device) {
      Update update{device.upload(normal(shape, p)), device.upload(normal(shape, p + 100)), {}};
      for (std::size_t m = 0; m < Rule::moments; ++m)
        update.moments[m] = device.upload(Tensor(shape, DType::f32));
      return update;
    };
    ours.push_back(fill(cuda));
    theirs.push_back(fill(reference));
    for (int s = 0; s < Rule::scalars; ++s)
      scalars.push_back(0.1F + 0.01F * static_cast<float>(s) + 0.001F * static_cast<float>(p));
  }
  const Tensor table = Tensor::of<float>({70, Rule::scalars}, std::span<const float>(scalars));
  for (int step = 0; step < 2; ++step) {
    FusedStep<Rule>::kernel(cuda, Rule{}, ours, cuda.upload(table));
    FusedStep<Rule>::kernel(reference, Rule{}, theirs, table);
  }
  for (std::size_t p = 0; p < ours.size(); ++p) {
    close(ours[p].value, theirs[p].value);
    close(ours[p].moments[1], theirs[p].moments[1]);
  }
}

TEST_CASE("emulated GPU: norms of gradients, scaling and cutting") {
  Device reference(Backend::reference), cuda(Backend::cuda);
  for (const double power : {1.0, 2.0, 3.0, static_cast<double>(INFINITY)}) {
    std::vector<Tensor> results;
    for (Device* device : {&reference, &cuda}) {
      ParameterStore store(*device);
      for (std::uint64_t p = 0; p < 5; ++p) {
        const Shape shape{static_cast<std::int64_t>(1 + 3000 * p)};
        Parameter& parameter = store.add("p" + std::to_string(p), shape, init::zeros());
        parameter.grad = device->upload(normal(shape, p));
      }
      results.push_back(clip_gradient_norm(*device, store, 0.5, power).to_host());
      clip_gradient_value(*device, store, 0.003);
      results.push_back(store.find("p3")->grad.to_host());
    }
    close(results[2], results[0]);
    close(results[3], results[1]);
  }
}

TEST_CASE("emulated GPU: search finds the same neighbours in the same order") {
  Device reference(Backend::reference), cuda(Backend::cuda);
  Tensor gallery = normal({300, 7}, 1);
  for (std::int64_t i = 0; i < 7; ++i) gallery.row<float>(200)[i] = gallery.row<float>(100)[i];
  const Tensor queries = gallery.rows(90, 130);
  std::vector<std::int64_t> self;
  for (std::int64_t q = 90; q < 130; ++q) self.push_back(q == 101 ? Neighbours::none : q);
  for (const SearchDistance distance : {SearchDistance::cosine, SearchDistance::euclidean}) {
    const SearchOptions options{
        .distance = distance, .k = 40, .query_rows = 16, .gallery_rows = 70};
    const Neighbours want = search(reference, queries, gallery, self, options);
    const Neighbours got = search(cuda, queries, gallery, self, options);
    CHECK(got.index == want.index);
    CHECK(got.distance == want.distance);
  }
}

TEST_CASE("emulated GPU: the largest score of a row, the lowest place of equal ones") {
  Device cuda(Backend::cuda);
  const Tensor scores = cuda.upload(Tensor::of<float>({2, 4}, {1, 3, 3, 2, 5, 5, 0, 5}));
  Tensor best = cuda.upload(Tensor::of<float>({2}, {3, -1}));
  Tensor index = cuda.upload(Tensor::of<std::int64_t>({2}, {7, -1}));
  kernel::row_maximum(cuda, scores, 10, best, index);
  CHECK(index.to_host().data<std::int64_t>()[0] == 7);  // not better than what was there
  CHECK(index.to_host().data<std::int64_t>()[1] == 10);
  CHECK(best.to_host().data<float>()[1] == 5);
}

}  // namespace
}  // namespace dml::testing
