#include "weights_convert/torch_writer.hpp"

#include <algorithm>

#include "engine/file.hpp"
#include "weights_convert/opcodes.hpp"
#include "weights_convert/zip_writer.hpp"

namespace dml::weights {
namespace {

/// What torch calls the storage of an element type.
const char* storage_name(DType type) {
  switch (type) {
    case DType::f64:
      return "DoubleStorage";
    case DType::f32:
      return "FloatStorage";
    case DType::f16:
      return "HalfStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::i64:
      return "LongStorage";
    case DType::i32:
      return "IntStorage";
    case DType::i16:
      return "ShortStorage";
    case DType::i8:
      return "CharStorage";
    case DType::u8:
      return "ByteStorage";
    case DType::boolean:
      return "BoolStorage";
  }
  return "";
}

/// Puts a pickle together as Python's pickler would, without its memo.
class Pickler {
 public:
  void op(Op code) { bytes_ += static_cast<char>(code); }
  void global(const std::string& module, const std::string& name) {
    op(Op::global);
    bytes_ += module + "\n" + name + "\n";
  }
  void text(const std::string& value) {
    op(Op::binunicode);
    little(value.size(), 4);
    bytes_ += value;
  }
  void number(std::int64_t value) {
    if (value >= 0 && value <= 0xFF) {
      op(Op::binint1);
      little(static_cast<std::uint64_t>(value), 1);
    } else if (value == static_cast<std::int32_t>(value)) {
      op(Op::binint);
      little(static_cast<std::uint64_t>(value), 4);
    } else {
      op(Op::long1);
      little(8, 1);
      little(static_cast<std::uint64_t>(value), 8);
    }
  }
  void numbers(const std::vector<std::int64_t>& values) {
    op(Op::mark);
    for (const std::int64_t value : values) number(value);
    op(Op::tuple);
  }
  void empty_ordered_dict() {
    global("collections", "OrderedDict");
    op(Op::empty_tuple);
    op(Op::reduce);
  }
  void little(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

std::vector<std::int64_t> packed_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<std::int64_t>(1, shape[i]);
  return strides;
}

/// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
void put_tensor(Pickler& pickle, const Tensor& tensor, std::size_t key) {
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.op(Op::mark);
  pickle.op(Op::mark);
  pickle.text("storage");
  pickle.global("torch", storage_name(tensor.dtype()));
  pickle.text(std::to_string(key));
  pickle.text("cpu");
  pickle.number(tensor.size());
  pickle.op(Op::tuple);
  pickle.op(Op::binpersid);
  pickle.number(0);
  pickle.numbers({tensor.shape().begin(), tensor.shape().end()});
  pickle.numbers(packed_strides(tensor.shape()));
  pickle.op(Op::new_false);
  pickle.empty_ordered_dict();
  pickle.op(Op::tuple);
  pickle.op(Op::reduce);
}

}  // namespace

std::string state_dict_pickle(const NamedTensors& tensors) {
  constexpr std::size_t batch = 1000;  // as many items as Python sets at once
  Pickler pickle;
  pickle.op(Op::proto);
  pickle.little(2, 1);
  pickle.empty_ordered_dict();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i % batch == 0) pickle.op(Op::mark);
    pickle.text(tensors[i].first);
    put_tensor(pickle, tensors[i].second, i);
    if (i % batch == batch - 1 || i + 1 == tensors.size()) pickle.op(Op::setitems);
  }
  pickle.op(Op::stop);
  return pickle.take();
}

void write_torch(const std::filesystem::path& file, const NamedTensors& tensors) {
  // Torch calls the folder inside after the file; the same bytes for the same tensors matter more.
  const std::string root = "archive/";
  write_file_atomically(file, [&](const auto& append) {
    ZipWriter zip(append);
    zip.add(root + "data.pkl", state_dict_pickle(tensors));
    zip.add(root + "byteorder", "little");
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Tensor host = tensors[i].second.to_host().dense();
      zip.add(root + "data/" + std::to_string(i),
              {reinterpret_cast<const char*>(host.raw_bytes()), host.bytes()});
    }
    zip.add(root + "version", "3\n");
    zip.finish();
  });
}

}  // namespace dml::weights
