#include "engine/tensor.hpp"

#include <atomic>
#include <cstring>

#include "engine/cpu/allocator.hpp"
#include "engine/device.hpp"

namespace dml {
namespace {

std::atomic<std::int64_t> reads{0};

/// Copies rows between two host blocks.
void copy_rows(const std::byte* from, std::int64_t from_pitch, std::byte* to, std::int64_t to_pitch,
               std::int64_t rows, std::size_t row_bytes, std::size_t item) {
  for (std::int64_t r = 0; r < rows; ++r)
    std::memcpy(to + static_cast<std::size_t>(r * to_pitch) * item,
                from + static_cast<std::size_t>(r * from_pitch) * item, row_bytes);
}

template <class From, class To> void convert(const Tensor& from, Tensor& to) {
  const auto in = from.data<From>();
  auto out = to.data<To>();
  for (std::size_t i = 0; i < in.size(); ++i) {
    if constexpr (std::is_same_v<From, BFloat16>) {
      out[i] = static_cast<To>(static_cast<float>(in[i]));
    } else if constexpr (std::is_same_v<To, BFloat16>) {
      out[i] = BFloat16(static_cast<float>(in[i]));
    } else {
      out[i] = static_cast<To>(in[i]);
    }
  }
}

template <class Fn> void visit_convertible(DType type, Fn&& fn) {
  switch (type) {
    case DType::f32:
      return fn.template operator()<float>();
    case DType::f64:
      return fn.template operator()<double>();
    case DType::bf16:
      return fn.template operator()<BFloat16>();
    case DType::i64:
      return fn.template operator()<std::int64_t>();
    case DType::i32:
      return fn.template operator()<std::int32_t>();
    case DType::u8:
      return fn.template operator()<std::uint8_t>();
    default:
      throw TypeError(std::string("cannot convert elements of type ") + name_of(type));
  }
}

}  // namespace

std::int64_t host_reads() { return reads.load(std::memory_order_relaxed); }
void note_host_read() { reads.fetch_add(1, std::memory_order_relaxed); }

Tensor::Tensor(Shape shape, DType type) {
  *this = empty(std::move(shape), type);
  if (bytes() > 0) std::memset(storage_->bytes, 0, bytes());
}

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, DType type, std::int64_t offset,
               std::int64_t pitch)
    : shape_(std::move(shape)),
      size_(count(shape_)),
      offset_(offset),
      pitch_(pitch != 0 ? pitch : (shape_.empty() ? 1 : shape_.back())),
      type_(type),
      storage_(std::move(storage)) {}

Tensor Tensor::empty(Shape shape, DType type) {
  for (const std::int64_t size : shape)
    DML_CHECK(size >= 0, "a tensor of shape " + to_string(shape) + " cannot be");
  const std::size_t bytes = static_cast<std::size_t>(count(shape)) * item_size(type);
  return {cpu::allocate(bytes), std::move(shape), type};
}

std::int64_t Tensor::dim(int i) const {
  const int at = i < 0 ? rank() + i : i;
  DML_CHECK(at >= 0 && at < rank(),
            "dimension " + std::to_string(i) + " of a tensor of shape " + to_string(shape_));
  return shape_[static_cast<std::size_t>(at)];
}

void Tensor::require(DType type, bool packed_on_host) const {
  if (!storage_) throw ShapeError("a tensor that was never set is read");
  if (type != type_)
    throw TypeError(std::string("elements of type ") + name_of(type) +
                    " asked for, the tensor holds " + name_of(type_));
  if (!packed_on_host) return;
  if (storage_->place != Place::host)
    throw DeviceError("the tensor lies on a device and is read on the host: call to_host() first");
  DML_CHECK(packed(), "the tensor has a row pitch: call dense() first");
  if (storage_->of_device) note_host_read();
}

double Tensor::item() const {
  DML_CHECK(size_ == 1, "one number is needed, the tensor has shape " + to_string(shape_));
  if (place() != Place::host) return to_host().item();
  if (storage_->of_device) note_host_read();
  double value = 0;
  visit_convertible(type_, [&]<class T>() {
    if constexpr (std::is_same_v<T, BFloat16>) {
      value = static_cast<double>(static_cast<float>(*raw<T>()));
    } else {
      value = static_cast<double>(*raw<T>());
    }
  });
  return value;
}

Tensor Tensor::reshape(Shape shape) const {
  DML_CHECK(count(shape) == size_,
            "reshape: " + to_string(shape_) + " to " + to_string(shape) + " changes the count");
  if (packed()) return {storage_, std::move(shape), type_, offset_};
  DML_CHECK(!shape.empty() && shape.back() == row_length(),
            "reshape: rows of a pitched tensor " + to_string(shape_) + " cannot become " +
                to_string(shape));
  return {storage_, std::move(shape), type_, offset_, pitch_};
}

Tensor Tensor::rows(std::int64_t first, std::int64_t last) const {
  DML_CHECK(rank() > 0 && first >= 0 && first <= last && last <= dim(0),
            "rows " + std::to_string(first) + " to " + std::to_string(last) +
                " of a tensor of shape " + to_string(shape_));
  Shape shape = shape_;
  const std::int64_t inner = dim(0) == 0 ? 0 : row_count() / (rank() == 1 ? 1 : dim(0));
  const std::int64_t step = rank() == 1 ? 1 : inner * pitch_;
  shape[0] = last - first;
  return {storage_, shape, type_, offset_ + first * step, rank() == 1 ? 0 : pitch_};
}

Tensor Tensor::channels(std::int64_t first, std::int64_t last) const {
  DML_CHECK(rank() > 0 && first >= 0 && first <= last && last <= shape_.back(),
            "channels " + std::to_string(first) + " to " + std::to_string(last) +
                " of a tensor of shape " + to_string(shape_));
  Shape shape = shape_;
  shape.back() = last - first;
  return {storage_, shape, type_, offset_ + first, pitch_};
}

Tensor Tensor::clone() const {
  const Tensor source = to_host();
  Tensor copy = empty(shape_, type_);
  const std::size_t item = item_size(type_);
  if (source.packed()) {
    if (source.bytes() > 0) std::memcpy(copy.raw_bytes(), source.raw_bytes(), source.bytes());
  } else {
    copy_rows(source.raw_bytes(), source.pitch(), copy.raw_bytes(), copy.pitch(), row_count(),
              static_cast<std::size_t>(row_length()) * item, item);
  }
  return copy;
}

Tensor Tensor::dense() const { return packed() ? *this : clone(); }

Tensor Tensor::to_host() const {
  if (place() == Place::host) {
    if (storage_ && storage_->of_device) note_host_read();
    return *this;
  }
  return copy_to_host(*this);
}

Tensor Tensor::to(DType type) const {
  if (type == type_) return clone();
  const Tensor source = to_host().dense();
  Tensor result = empty(shape_, type);
  visit_convertible(type_, [&]<class From>() {
    visit_convertible(type, [&]<class To>() {
      if constexpr (!std::is_same_v<From, To>) convert<From, To>(source, result);
    });
  });
  return result;
}

}  // namespace dml
