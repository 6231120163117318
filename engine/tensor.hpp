#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/check.hpp"
#include "engine/dtype.hpp"
#include "engine/shape.hpp"

namespace dml {

/// Where the bytes of a tensor lie.
enum class Place : std::uint8_t { host, cuda };

/// A block of memory. Its owner (an allocator) takes it back when the last tensor on it dies.
struct Storage {
  std::byte* bytes = nullptr;
  std::size_t size = 0;
  Place place = Place::host;
  /// Whether the kernels of a device write it (Device::empty), so that looking at its elements from
  /// outside of a kernel is a host read, also where the device is the processor.
  bool of_device = false;
};

/// How often the elements of a device's tensor were looked at from outside of its kernels, through
/// data(), item(), to_host(), clone() or to(), since the start of the program.
std::int64_t host_reads();
/// Counts one.
void note_host_read();

/// A dense, row-major array on one device. Copying a Tensor shares its memory; clone() copies it.
/// There are no general strides. Images and feature maps are channels last: [n, h, w, c].
///
/// The one exception to density is the row pitch: channels(first, last) is a Tensor on the same
/// memory whose rows (runs of the last dimension) lie pitch() elements apart.
class Tensor {
 public:
  /// No tensor: defined() is false.
  Tensor() = default;

  /// A tensor of zeros on the host.
  Tensor(Shape shape, DType type);

  /// A tensor on given memory, `offset` elements behind its start; pitch 0 means dense.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, DType type, std::int64_t offset = 0,
         std::int64_t pitch = 0);

  /// A host tensor whose elements are not set yet.
  static Tensor empty(Shape shape, DType type);
  /// A host tensor of T with the given elements; their number must be count(shape).
  template <class T> static Tensor of(Shape shape, std::span<const T> values);
  template <class T> static Tensor of(Shape shape, std::initializer_list<T> values) {
    return of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  /// How many dimensions.
  int rank() const { return static_cast<int>(shape_.size()); }
  /// The size of dimension i; negative i counts from the end. Throws ShapeError when absent.
  std::int64_t dim(int i) const;
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * item_size(type_); }
  DType dtype() const { return type_; }
  Place place() const { return storage_ ? storage_->place : Place::host; }

  /// Elements from one row (run of the last dimension) to the next.
  std::int64_t pitch() const { return pitch_; }
  /// Whether the rows follow each other without gaps.
  bool packed() const { return shape_.empty() || pitch_ == shape_.back(); }
  /// The length of a row (the last dimension; 1 for one number) and how many there are.
  std::int64_t row_length() const { return shape_.empty() ? 1 : shape_.back(); }
  std::int64_t row_count() const { return row_length() == 0 ? 0 : size_ / row_length(); }

  /// The elements, packed, on the host. Throws TypeError unless they are T, DeviceError when they
  /// lie on a device (use to_host()), ShapeError when there is a pitch (use dense()).
  template <class T> std::span<T> data() const {
    require(dtype_of<T>, true);
    return {reinterpret_cast<T*>(storage_->bytes) + offset_, static_cast<std::size_t>(size_)};
  }

  /// The first element, for kernels that honour the pitch and run where the memory lies.
  /// Throws TypeError unless the elements are T.
  template <class T> T* raw() const {
    require(dtype_of<T>, false);
    return reinterpret_cast<T*>(storage_->bytes) + offset_;
  }
  /// The first element as bytes, whatever the type.
  std::byte* raw_bytes() const {
    return storage_->bytes + static_cast<std::size_t>(offset_) * item_size(type_);
  }

  /// The elements behind first index i.
  template <class T> std::span<T> row(std::int64_t i) const {
    const std::int64_t width = size_ / dim(0);
    return data<T>().subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
  }

  /// The only element of a tensor of one number, as double. On a device this synchronises.
  double item() const;

  /// The same memory with another shape of equal count; a pitched tensor may only regroup its rows.
  Tensor reshape(Shape shape) const;
  /// First indices [first, last) on the same memory.
  Tensor rows(std::int64_t first, std::int64_t last) const;
  /// The last dimension cut to [first, last), on the same memory: a pitched tensor.
  Tensor channels(std::int64_t first, std::int64_t last) const;

  /// A host copy in memory of its own, packed.
  Tensor clone() const;
  /// This tensor if it is packed, else a packed copy. Host only; ops use Device::dense.
  Tensor dense() const;
  /// A host tensor with these elements: this one, if it is on the host.
  Tensor to_host() const;
  /// A host copy with the elements converted (f32, f64, bf16, i64, i32, u8).
  Tensor to(DType type) const;

  /// Whether no other tensor shares this memory, so that it may be overwritten.
  bool unshared() const { return storage_ && storage_.use_count() == 1; }
  /// Whether both stand on the same block of memory.
  bool shares_memory(const Tensor& other) const { return storage_ && storage_ == other.storage_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  std::int64_t offset() const { return offset_; }

 private:
  void require(DType type, bool packed_on_host) const;

  Shape shape_;
  std::int64_t size_ = 0;
  std::int64_t offset_ = 0;
  std::int64_t pitch_ = 1;
  DType type_ = DType::f32;
  std::shared_ptr<Storage> storage_;
};

template <class T> Tensor Tensor::of(Shape shape, std::span<const T> values) {
  Tensor result = empty(std::move(shape), dtype_of<T>);
  DML_CHECK(static_cast<std::int64_t>(values.size()) == result.size(),
            "Tensor::of: " + std::to_string(values.size()) + " values for shape " +
                to_string(result.shape()));
  auto out = result.data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return result;
}

}  // namespace dml
