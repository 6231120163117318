#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/random.hpp"
#include "engine/tensor.hpp"

namespace dml {

class Device;

/// How a stored tensor is laid out in files, when that differs from memory.
enum class FileLayout : std::uint8_t {
  same,
  conv_weight,  ///< memory [k, r, s, c], file [k, c, r, s]
};

/// A named, learnable tensor, or (is_buffer) a tensor that belongs to the model without being
/// learnt: batch-norm statistics. Owned by a ParameterStore; never moves.
struct Parameter {
  std::string name;
  Tensor value;
  Tensor grad{};          ///< undefined until a backward pass reaches the parameter
  bool trainable = true;  ///< false: no gradient, and the optimizer skips it
  bool is_buffer = false;
  double lr_scale = 1;     ///< times the learning rate (proxies at 100 times the rate)
  double decay_scale = 1;  ///< times the weight decay (0: none on this parameter)
  std::string group{};     ///< name of the optimizer's parameter group; "" is the default group
  FileLayout layout = FileLayout::same;

  /// The shape in files and messages (PyTorch's).
  Shape file_shape() const;
  /// The value as it stands in files: on the host, in PyTorch's layout.
  Tensor to_file() const;
  /// Sets the value from a tensor in the file's layout; any float type is converted to the
  /// element type of the parameter, and [1, c] is taken for [c]. @throws ShapeError otherwise.
  void from_file(const Tensor& tensor, const Device& device);
};

/// How a parameter gets its first value: fills a host tensor from a stream of its own.
using Init = std::function<void(Tensor&, Random)>;

namespace init {
/// All 0.
Init zeros();
/// All the same.
Init constant(double value);
/// Normal with mean 0.
Init normal(double deviation);
/// Uniform in [-bound, bound).
Init uniform(double bound);
/// Normal, cut at `cut` deviations by drawing again.
Init truncated_normal(double deviation, double cut);
}  // namespace init

/// Owns the parameters and buffers of a model under dotted names ("layer1.0.conv1.weight"), in
/// order of creation, which is that of PyTorch's state dicts.
class ParameterStore {
 public:
  /// @param seed  of the stream `weights`; each parameter draws from a stream keyed by its name.
  explicit ParameterStore(const Device& device, DType type = DType::f32, std::uint64_t seed = 0)
      : device_(&device), type_(type), seed_(seed) {}
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  /// Adds a parameter. `shape` is that of memory. @throws Error when the name is taken.
  Parameter& add(std::string name, Shape shape, const Init& init,
                 FileLayout layout = FileLayout::same);
  /// Adds a buffer of the store's element type (or of `type`).
  Parameter& add_buffer(std::string name, Shape shape, const Init& init);
  Parameter& add_buffer(std::string name, Shape shape, DType type);

  /// From now on parameters get a name and a shape but no memory and no values: enough to ask a
  /// net what it wants from a file.
  void outline_only() { outline_only_ = true; }

  /// All parameters and buffers, in order.
  std::deque<Parameter>& all() { return all_; }
  const std::deque<Parameter>& all() const { return all_; }
  /// The one of that name, or null.
  Parameter* find(const std::string& name);
  /// How many learnable numbers there are.
  std::int64_t parameter_count() const;
  /// Forgets all gradients.
  void clear_gradients();

  const Device& device() const { return *device_; }
  DType dtype() const { return type_; }

 private:
  Parameter& insert(Parameter parameter);

  const Device* device_;
  DType type_;
  std::uint64_t seed_;
  bool outline_only_ = false;
  std::deque<Parameter> all_;
  std::unordered_map<std::string, Parameter*> by_name_;
};

/// A place in the parameter tree; `scope / "conv1"` is the place one level down.
class Scope {
 public:
  explicit Scope(ParameterStore& store, std::string path = {})
      : store_(&store), path_(std::move(path)) {}
  Scope operator/(const std::string& name) const {
    return Scope(*store_, path_.empty() ? name : path_ + "." + name);
  }
  Scope operator/(int index) const { return *this / std::to_string(index); }

  Parameter& parameter(const std::string& name, Shape shape, const Init& init,
                       FileLayout layout = FileLayout::same) const {
    return store_->add((*this / name).path_, std::move(shape), init, layout);
  }
  Parameter& buffer(const std::string& name, Shape shape, const Init& init) const {
    return store_->add_buffer((*this / name).path_, std::move(shape), init);
  }
  /// An i64 counter, 0 at first.
  Parameter& counter(const std::string& name) const {
    return store_->add_buffer((*this / name).path_, {}, DType::i64);
  }
  const std::string& path() const { return path_; }
  ParameterStore& store() const { return *store_; }

 private:
  ParameterStore* store_;
  std::string path_;
};

}  // namespace dml
