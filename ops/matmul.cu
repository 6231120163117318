#include <cublasLt.h>

#include <bit>
#include <cstddef>
#include <utility>

#include "engine/cuda/libraries.cuh"
#include "engine/cuda/reduce.cuh"
#include "ops/matmul.hpp"

namespace dml {
namespace {

using cuda::check;

constexpr std::size_t workspace_size = std::size_t{32} << 20U;

/// Owns one of cuBLASLt's descriptions.
template <class Handle, cublasStatus_t (*destroy)(Handle)> struct Owned {
  Handle handle = nullptr;
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (handle != nullptr) static_cast<void>(destroy(handle));
  }
};
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

/// A row-major operand as cuBLAS sees it: column-major, so transposed.
struct Matrix {
  const std::byte* address;
  std::int64_t rows, columns, pitch, stride, alignment;  // row-major sizes; stride between batches
};

Matrix matrix(const Tensor& tensor) {
  const std::int64_t rows = tensor.dim(-2);
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.raw_bytes());
  const auto step = static_cast<std::uintptr_t>(tensor.pitch()) * item_size(tensor.dtype());
  const int shared_zeros = std::countr_zero(address | step | 16U);
  return {tensor.raw_bytes(),    rows,
          tensor.dim(-1),        tensor.pitch(),
          rows * tensor.pitch(), std::int64_t{1} << static_cast<unsigned>(shared_zeros)};
}

void describe(Layout& layout, const Matrix& m, cudaDataType_t type, std::int64_t batches) {
  check(cublasLtMatrixLayoutCreate(&layout.handle, type, static_cast<std::uint64_t>(m.columns),
                                   static_cast<std::uint64_t>(m.rows), m.pitch),
        "cublasLtMatrixLayoutCreate");
  const auto count = static_cast<std::int32_t>(batches);
  check(cublasLtMatrixLayoutSetAttribute(layout.handle, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                         sizeof count),
        "cublasLtMatrixLayoutSetAttribute");
  check(cublasLtMatrixLayoutSetAttribute(layout.handle, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                         &m.stride, sizeof m.stride),
        "cublasLtMatrixLayoutSetAttribute");
}

/// The first algorithm that cuBLASLt proposes; asked once per kind of product.
cublasLtMatmulAlgo_t choose(cuda::Libraries& libraries, const cuda::MatmulKey& key,
                            const Operation& operation, const Layout& a, const Layout& b,
                            const Layout& y) {
  const auto known = libraries.matmuls.find(key);
  if (known != libraries.matmuls.end()) return known->second;
  Preference preference;
  check(cublasLtMatmulPreferenceCreate(&preference.handle), "cublasLtMatmulPreferenceCreate");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(preference.handle, name, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_size);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<std::uint32_t>(key[9]));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<std::uint32_t>(key[10]));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<std::uint32_t>(key[11]));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<std::uint32_t>(key[11]));
  cublasLtMatmulHeuristicResult_t answer{};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(libraries.blas, operation.handle, a.handle, b.handle,
                                       y.handle, y.handle, preference.handle, 1, &answer, &found),
        "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
  libraries.matmuls.emplace(key, answer.algo);
  return answer.algo;
}

/// y = beta y: what is left of a product whose inner size is 0.
template <class T> void scale(cuda::Context& context, double beta, Tensor& y) {
  using W = Work<T>;
  T* out = y.raw<T>();
  const std::int64_t pitch = y.pitch();
  const W factor = static_cast<W>(beta);
  cuda::for_each_cell(
      context, y.row_count(), y.row_length(), [=] __device__(std::int64_t r, std::int64_t c) {
        T& cell = out[r * pitch + c];
        cell = static_cast<T>(factor == W(0) ? W(0) : factor * static_cast<W>(cell));
      });
}

cudaDataType_t type_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::bf16) return CUDA_R_16BF;
  return tensor.dtype() == DType::f64 ? CUDA_R_64F : CUDA_R_32F;
}

/// T: what is added up in, and of alpha and beta.
template <class T>
void product(cuda::Context& context, const Tensor& a, const Tensor& b, Transpose transpose,
             double alpha, double beta, Tensor& y) {
  constexpr bool wide = sizeof(T) == 8;
  const std::int64_t batches = y.rank() == 3 ? y.dim(0) : 1;
  const std::int64_t inner = transpose.a ? a.dim(-2) : a.dim(-1);
  if (y.size() == 0) return;
  if (inner == 0) return visit_stored(y.dtype(), [&]<class S>() { scale<S>(context, beta, y); });
  // Column-major: y^T = op(b)^T op(a)^T, so b comes first.
  const Matrix first = matrix(b), second = matrix(a), result = matrix(y);
  const cublasOperation_t first_op = transpose.b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second_op = transpose.a ? CUBLAS_OP_T : CUBLAS_OP_N;
  Operation operation;
  check(cublasLtMatmulDescCreate(&operation.handle, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                 wide ? CUDA_R_64F : CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  check(cublasLtMatmulDescSetAttribute(operation.handle, CUBLASLT_MATMUL_DESC_TRANSA, &first_op,
                                       sizeof first_op),
        "cublasLtMatmulDescSetAttribute");
  check(cublasLtMatmulDescSetAttribute(operation.handle, CUBLASLT_MATMUL_DESC_TRANSB, &second_op,
                                       sizeof second_op),
        "cublasLtMatmulDescSetAttribute");
  Layout first_layout, second_layout, result_layout;
  describe(first_layout, first, type_of(b), batches);
  describe(second_layout, second, type_of(a), batches);
  describe(result_layout, result, type_of(y), batches);
  const cuda::MatmulKey key{
      result.rows,
      result.columns,
      inner,
      batches,
      first.pitch,
      second.pitch,
      result.pitch,
      std::int64_t{transpose.a} + 2 * std::int64_t{transpose.b},
      static_cast<std::int64_t>(8 * item_size(a.dtype()) + item_size(y.dtype())),
      first.alignment,
      second.alignment,
      result.alignment};
  cuda::Libraries& libraries = context.libraries();
  const cublasLtMatmulAlgo_t algorithm =
      choose(libraries, key, operation, first_layout, second_layout, result_layout);
  const T up = static_cast<T>(alpha), keep = static_cast<T>(beta);
  const cuda::Temporary workspace(context, workspace_size);
  check(cublasLtMatmul(libraries.blas, operation.handle, &up, first.address, first_layout.handle,
                       second.address, second_layout.handle, &keep, result.address,
                       result_layout.handle, y.raw_bytes(), result_layout.handle, &algorithm,
                       workspace.as<std::byte>(), workspace_size, context.stream()),
        "cublasLtMatmul");
}

void multiply(Device& device, const Tensor& a, const Tensor& b, Transpose transpose, double alpha,
              double beta, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  y.dtype() == DType::f64 ? product<double>(context, a, b, transpose, alpha, beta, y)
                          : product<float>(context, a, b, transpose, alpha, beta, y);
}

template <class T> void shift_rows(cuda::Context& context, const Tensor& bias, Tensor& y) {
  const T* from = bias.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t width = y.row_length();
  cuda::for_each_cell(
      context, y.row_count(), width,
      [=] __device__(std::int64_t r, std::int64_t c) { to[r * width + c] += from[c]; });
}
void add_bias(Device& device, const Tensor& bias, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { shift_rows<T>(context, bias, y); });
}

template <class T> void add_up(cuda::Context& context, const Tensor& x, Tensor& sum) {
  using W = Work<T>;
  const T* from = x.raw<T>();
  W* to = sum.raw<W>();
  const std::int64_t pitch = x.pitch();
  cuda::reduce_columns<cuda::Sum<W>>(
      context, x.row_count(), x.row_length(),
      [=] __device__(cuda::Sum<W> & part, std::int64_t r, std::int64_t c) {
        part.value += static_cast<W>(from[r * pitch + c]);
      },
      [=] __device__(const cuda::Sum<W>& total, std::int64_t c) { to[c] = total.value; });
}
void sum_rows(Device& device, const Tensor& x, Tensor& sum) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class T>() { add_up<T>(context, x, sum); });
}

const bool matmul_added =
    kernel::matmul.add(Backend::cuda, multiply) && kernel::matmul.takes_bf16(Backend::cuda) &&
    kernel::add_bias.add(Backend::cuda, add_bias) &&
    kernel::sum_rows.add(Backend::cuda, sum_rows) && kernel::sum_rows.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
