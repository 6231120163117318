#include <algorithm>

#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

/// Swaps the order of dimensions of a host tensor of rank 4: result dimension i is x's order[i].
Tensor permuted(const Tensor& x, const std::array<int, 4>& order) {
  DML_CHECK(x.rank() == 4, "a map must have 4 dimensions, not " + to_string(x.shape()));
  std::array<std::int64_t, 4> stride{};
  Shape shape(4);
  for (int i = 0; i < 4; ++i) {
    shape[static_cast<std::size_t>(i)] = x.dim(order[static_cast<std::size_t>(i)]);
    std::int64_t step = 1;
    for (int k = order[static_cast<std::size_t>(i)] + 1; k < 4; ++k) step *= x.dim(k);
    stride[static_cast<std::size_t>(i)] = step;
  }
  const Tensor from = x.dense();
  Tensor result = Tensor::empty(shape, x.dtype());
  const std::size_t item = item_size(x.dtype());
  std::byte* out = result.raw_bytes();
  for (std::int64_t a = 0; a < shape[0]; ++a)
    for (std::int64_t b = 0; b < shape[1]; ++b)
      for (std::int64_t c = 0; c < shape[2]; ++c)
        for (std::int64_t d = 0; d < shape[3]; ++d, out += item) {
          const std::int64_t at = a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3];
          std::copy_n(from.raw_bytes() + static_cast<std::size_t>(at) * item, item, out);
        }
  return result;
}

}  // namespace

Tensor to_channels_last(const Tensor& x) { return permuted(x, {0, 2, 3, 1}); }
Tensor to_channels_first(const Tensor& x) { return permuted(x, {0, 3, 1, 2}); }

std::map<std::pair<std::string, std::string>, Handler>& handlers() {
  static std::map<std::pair<std::string, std::string>, Handler> all;
  return all;
}

AddGolden::AddGolden(const std::string& folder, const std::string& op, Handler handler) {
  if (!handlers().emplace(std::pair{folder, op}, std::move(handler)).second) {
    std::fprintf(stderr, "two golden handlers for '%s/%s'\n", folder.c_str(), op.c_str());
    std::abort();
  }
}

Run::Run(const Case& given, Device& device, DType type)
    : given_(given), device_(device), type_(type), tape_(Tape::train(device)) {}

Tensor Run::tensor(const std::string& full_name) const {
  const Tensor& stored = given_.at(full_name);
  return is_float(stored.dtype()) ? stored.to(type_) : stored;
}

std::string Run::stored(const std::string& name) const {
  return given_.has("in." + name) ? "in." + name : "param." + name;
}

Var Run::constant(const std::string& name) const { return tape_->input(tensor(stored(name))); }
Var Run::variable(const std::string& name) { return make(name, false); }
Var Run::map(const std::string& name) { return make(name, true); }

Var Run::make(const std::string& name, bool map) {
  const Tensor value = tensor(stored(name));
  const Var variable = tape_->variable(device_.upload(map ? to_channels_last(value) : value));
  leaves_.push_back({name, variable, map});
  return variable;
}

void Run::output(const std::string& name, const Var& y) { keep(name, y, false); }
void Run::output_map(const std::string& name, const Var& y) { keep(name, y, true); }

void Run::keep(const std::string& name, const Var& y, bool map) {
  const Tensor value = device_.dense(y.value()).to_host();
  give("out." + name, map ? to_channels_first(value) : value);
  const std::string upstream_name = "in.gout." + name;
  if (!given_.has(upstream_name)) return;
  Tensor upstream = tensor(upstream_name);
  if (map) upstream = to_channels_last(upstream);
  DML_CHECK(upstream.size() == value.size(), "out." + name + " is " + to_string(value.shape()) +
                                                 ", its upstream gradient " +
                                                 to_string(upstream.shape()));
  const Tensor a = value.to(DType::f64), b = upstream.to(DType::f64);
  for (std::int64_t i = 0; i < a.size(); ++i)
    inner_product_ += a.raw<double>()[i] * b.raw<double>()[i];
  if (y.needs_grad())
    upstream_.emplace_back(y, device_.upload(upstream.reshape(y.value().shape())));
}

void Run::loss(const Var& y, const std::string& name) {
  give("out." + name, y.value().to_host());
  if (!y.needs_grad()) return;
  Tensor one(y.value().shape(), type_);
  visit_float(type_, [&]<class T>() { std::fill_n(one.raw<T>(), one.size(), T(1)); });
  upstream_.emplace_back(y, device_.upload(one));
}

void Run::give(const std::string& full_name, const Tensor& result) {
  DML_CHECK(result.defined(), full_name + ": the result given is no tensor");
  results_[full_name] = device_.dense(result).to_host();
}

void Run::give(const std::string& full_name, std::vector<double> values) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  results_[full_name] = Tensor::of<double>(shape, std::span<const double>(values));
}

void Run::ignore(const std::string& full_name, const std::string& reason) {
  DML_CHECK(!reason.empty(), full_name + " is ignored without a reason");
  ignored_[full_name] = reason;
}

void Run::finish() {
  if (given_.has("out.loss") && !results_.contains("out.loss") && !given_.names("in.gout.").empty())
    give("out.loss", std::vector<double>{inner_product_});
  if (upstream_.empty() && leaves_.empty()) return;
  if (!upstream_.empty()) tape_->backward(upstream_);
  for (const Leaf& leaf : leaves_) {
    const std::string name = "grad." + leaf.name;
    if (!given_.has(name) || results_.contains(name)) continue;
    const Tensor gradient = upstream_.empty() ? Tensor() : tape_->gradient(leaf.variable);
    const Tensor host =
        gradient.defined() ? gradient.to_host() : Tensor(leaf.variable.shape(), type_);
    give(name, leaf.map ? to_channels_first(host) : host);
  }
}

}  // namespace dml::golden
