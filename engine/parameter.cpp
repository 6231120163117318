#include "engine/parameter.hpp"

#include "engine/cpu/parallel.hpp"
#include "engine/device.hpp"

namespace dml {
namespace {

/// [k, r, s, c] to [k, c, r, s] or back: swaps the last dimension with the two before it.
template <class T> void permute(const Tensor& from, Tensor& to, bool to_channels_first) {
  const Shape& memory = to_channels_first ? from.shape() : to.shape();
  const std::int64_t k = memory[0], window = memory[1] * memory[2], c = memory[3];
  const auto in = from.data<T>();
  auto out = to.data<T>();
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t w = 0; w < window; ++w)
      for (std::int64_t j = 0; j < c; ++j) {
        const auto last = static_cast<std::size_t>((i * window + w) * c + j);
        const auto first = static_cast<std::size_t>((i * c + j) * window + w);
        if (to_channels_first) {
          out[first] = in[last];
        } else {
          out[last] = in[first];
        }
      }
}

/// FNV-1a: a stream of random numbers for every name.
std::uint64_t hash(const std::string& name) {
  std::uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return h;
}

/// Element i is draw(random, i), a pure function of i: the same numbers for any number of threads.
template <class Draw> Init fill(Draw draw) {
  return [draw](Tensor& tensor, Random random) {
    visit_float(tensor.dtype(), [&]<class T>() {
      T* values = tensor.raw<T>();
      cpu::parallel_for(cpu::max_threads(), tensor.size(), 1 << 12,
                        [&](std::int64_t first, std::int64_t last) {
                          for (std::int64_t i = first; i < last; ++i)
                            values[i] = static_cast<T>(draw(random, static_cast<std::uint64_t>(i)));
                        });
    });
  };
}

}  // namespace

Shape Parameter::file_shape() const {
  const Shape& s = value.shape();
  if (layout == FileLayout::conv_weight) return {s[0], s[3], s[1], s[2]};
  return s;
}

Tensor Parameter::to_file() const {
  const Tensor host = value.to_host().dense();
  if (layout == FileLayout::same) return host;
  Tensor result = Tensor::empty(file_shape(), host.dtype());
  visit_float(host.dtype(), [&]<class T>() { permute<T>(host, result, true); });
  return result;
}

void Parameter::from_file(const Tensor& tensor, const Device& device) {
  Tensor source = tensor;
  const Shape wanted = file_shape();
  if (source.shape() != wanted && source.rank() == 2 && source.dim(0) == 1 && wanted.size() == 1 &&
      source.dim(1) == wanted[0])
    source = source.reshape(wanted);
  DML_CHECK(source.shape() == wanted, "'" + name + "' has shape " + to_string(source.shape()) +
                                          " in the file, " + to_string(wanted) + " in the net");
  Tensor converted = source.to(value.dtype());
  if (layout == FileLayout::conv_weight) {
    Tensor result = Tensor::empty(value.shape(), value.dtype());
    visit_float(value.dtype(), [&]<class T>() { permute<T>(converted, result, false); });
    converted = result;
  }
  value = device.upload(converted);
}

namespace init {
Init zeros() { return constant(0); }
Init constant(double value) {
  return fill([value](Random, std::uint64_t) { return value; });
}
Init normal(double deviation) {
  return fill([deviation](Random random, std::uint64_t i) { return deviation * random.normal(i); });
}
Init uniform(double bound) {
  return fill(
      [bound](Random random, std::uint64_t i) { return bound * (2 * random.uniform(i) - 1); });
}
Init truncated_normal(double deviation, double cut) {
  return fill([deviation, cut](Random random, std::uint64_t i) {
    const Random own = random.split(i);
    for (std::uint64_t attempt = 0;; ++attempt) {
      const double draw = own.normal(attempt);
      if (draw >= -cut && draw <= cut) return deviation * draw;
    }
  });
}
}  // namespace init

Parameter& ParameterStore::insert(Parameter parameter) {
  if (by_name_.count(parameter.name) != 0)
    throw Error("two parameters are named '" + parameter.name + "'");
  all_.push_back(std::move(parameter));
  by_name_[all_.back().name] = &all_.back();
  return all_.back();
}

Parameter& ParameterStore::add(std::string name, Shape shape, const Init& init, FileLayout layout) {
  if (outline_only_) {
    Parameter outline{.name = std::move(name),
                      .value = Tensor(nullptr, std::move(shape), type_),
                      .layout = layout};
    return insert(std::move(outline));
  }
  Tensor value = Tensor::empty(std::move(shape), type_);
  init(value, Random(seed_, Purpose::weights, 0, hash(name)));
  Parameter parameter{.name = std::move(name), .value = device_->upload(value), .layout = layout};
  return insert(std::move(parameter));
}

Parameter& ParameterStore::add_buffer(std::string name, Shape shape, const Init& init) {
  Parameter& buffer = add(std::move(name), std::move(shape), init);
  buffer.is_buffer = true;
  buffer.trainable = false;
  return buffer;
}

Parameter& ParameterStore::add_buffer(std::string name, Shape shape, DType type) {
  Parameter buffer{.name = std::move(name),
                   .value = device_->upload(Tensor(std::move(shape), type)),
                   .trainable = false,
                   .is_buffer = true};
  return insert(std::move(buffer));
}

Parameter* ParameterStore::find(const std::string& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::int64_t ParameterStore::parameter_count() const {
  std::int64_t total = 0;
  for (const Parameter& one : all_)
    if (!one.is_buffer) total += one.value.size();
  return total;
}

void ParameterStore::clear_gradients() {
  for (Parameter& one : all_) one.grad = {};
}

}  // namespace dml
