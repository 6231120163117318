#include <vector>

#include "engine/cuda/cudnn_graph.cuh"
#include "engine/error.hpp"
#include "tests/cuda_emulation/cublasLt.h"

namespace {

/// T: of alpha and beta; In and Out: of the operands and of the result.
template <class T, class In = T, class Out = T>
cublasStatus_t product_of(const FakeProduct& product, T alpha, const In* a, const FakeLayout& la,
                          const In* b, const FakeLayout& lb, T beta, const Out* c, Out* d,
                          const FakeLayout& ld) {
  const auto number = [](auto value) { return static_cast<double>(static_cast<T>(value)); };
  const bool a_turned = product.a == CUBLAS_OP_T, b_turned = product.b == CUBLAS_OP_T;
  const std::int64_t inner = a_turned ? la.rows : la.columns;
  if (inner != (b_turned ? lb.columns : lb.rows) || ld.rows != (a_turned ? la.columns : la.rows) ||
      ld.columns != (b_turned ? lb.rows : lb.columns) || la.leading < la.rows ||
      lb.leading < lb.rows || ld.leading < ld.rows || la.batches != ld.batches ||
      lb.batches != ld.batches)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  for (std::int64_t g = 0; g < ld.batches; ++g)
    for (std::int64_t j = 0; j < ld.columns; ++j)
      for (std::int64_t i = 0; i < ld.rows; ++i) {
        double sum = 0;
        for (std::int64_t k = 0; k < inner; ++k)
          sum += number(a[g * la.stride + (a_turned ? k + i * la.leading : i + k * la.leading)]) *
                 number(b[g * lb.stride + (b_turned ? j + k * lb.leading : k + j * lb.leading)]);
        const std::int64_t at = g * ld.stride + i + j * ld.leading;
        d[at] =
            static_cast<Out>(static_cast<T>(alpha * sum + (beta == 0 ? 0 : beta * number(c[at]))));
      }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
  *layout = new FakeLayout{type, static_cast<std::int64_t>(rows),
                           static_cast<std::int64_t>(columns), leading};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t name,
                                                const void* value, std::size_t size) {
  if (name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && size == sizeof layout->batches)
    layout->batches = *static_cast<const std::int32_t*>(value);
  else if (size == sizeof layout->stride)
    layout->stride = *static_cast<const std::int64_t*>(value);
  else
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t,
                                        cudaDataType_t type) {
  *product = new FakeProduct{type};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t size) {
  if (size != sizeof(cublasOperation_t)) return CUBLAS_STATUS_NOT_SUPPORTED;
  (name == CUBLASLT_MATMUL_DESC_TRANSA ? product->a : product->b) =
      *static_cast<const cublasOperation_t*>(value);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void*, std::size_t size) {
  const std::size_t wanted =
      name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? sizeof(std::uint64_t) : 4;
  return size == wanted ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int,
                                              cublasLtMatmulHeuristicResult_t*, int* found) {
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t*, void*, std::size_t, cudaStream_t) {
  const auto run = [&]<class T, class In, class Out>(T, In, Out) {
    return product_of(*product, *static_cast<const T*>(alpha), static_cast<const In*>(a), *a_layout,
                      static_cast<const In*>(b), *b_layout, *static_cast<const T*>(beta),
                      static_cast<const Out*>(c), static_cast<Out*>(d), *d_layout);
  };
  if (a_layout->type != b_layout->type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (product->type == CUDA_R_64F) return run(double{}, double{}, double{});
  if (a_layout->type == CUDA_R_32F) return run(float{}, float{}, float{});
  using Half = dml::BFloat16;
  return d_layout->type == CUDA_R_16BF ? run(float{}, Half{}, Half{})
                                       : run(float{}, Half{}, float{});
}

namespace dml::cuda {

/// T: the type of all tensors.
template <class T> void convolve(const ConvolutionKey& key_, const ConvolutionPlan::Tensors& t) {
  const auto [n, h, w, c] = key_.x;
  const auto [k, r, s, group_c] = key_.weight;
  const auto [n_y, oh, ow, k_y] = key_.y;
  const std::int64_t group_k = k / (c / group_c);
  const auto at = [](const void* tensor, std::int64_t i) {
    return static_cast<double>(static_cast<float>(static_cast<const T*>(tensor)[i]));
  };
  const std::int64_t sizes[3] = {n_y * oh * ow * k_y, n * h * w * c, k * r * s * group_c};
  std::vector<double> sums(static_cast<std::size_t>(sizes[static_cast<int>(key_.kind)]));
  for (std::int64_t image = 0; image < n; ++image)
    for (std::int64_t p = 0; p < oh; ++p)
      for (std::int64_t q = 0; q < ow; ++q)
        for (std::int64_t i = 0; i < r; ++i)
          for (std::int64_t j = 0; j < s; ++j) {
            const std::int64_t row = p * key_.stride[0] - key_.pad[0] + i * key_.dilation[0];
            const std::int64_t column = q * key_.stride[1] - key_.pad[1] + j * key_.dilation[1];
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            for (std::int64_t out = 0; out < k; ++out)
              for (std::int64_t in = 0; in < group_c; ++in) {
                const std::int64_t at_x =
                    ((image * h + row) * w + column) * c + out / group_k * group_c + in;
                const std::int64_t at_w = ((out * r + i) * s + j) * group_c + in;
                const std::int64_t at_y = ((image * oh + p) * ow + q) * k + out;
                if (key_.kind == ConvolutionKind::forward)
                  sums[static_cast<std::size_t>(at_y)] += at(t.x, at_x) * at(t.weight, at_w);
                else if (key_.kind == ConvolutionKind::backward_data)
                  sums[static_cast<std::size_t>(at_x)] += at(t.y, at_y) * at(t.weight, at_w);
                else
                  sums[static_cast<std::size_t>(at_w)] += at(t.y, at_y) * at(t.x, at_x);
              }
          }
  auto* to =
      static_cast<T*>(const_cast<void*>(key_.kind == ConvolutionKind::forward         ? t.y
                                        : key_.kind == ConvolutionKind::backward_data ? t.x
                                                                                      : t.weight));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double value = sums[i];
    if (t.residual != nullptr) value += at(t.residual, static_cast<std::int64_t>(i));
    if (t.bias != nullptr) value += at(t.bias, static_cast<std::int64_t>(i) % k);
    to[i] = static_cast<T>(static_cast<float>(key_.relu && value < 0 ? 0 : value));
  }
}

void ConvolutionPlan::run(cudnnHandle_t, const Tensors& tensors, void*) const {
  key_.type == DType::bf16 ? convolve<BFloat16>(key_, tensors) : convolve<float>(key_, tensors);
}

PlanSummary plan_on(const std::string&, const ConvolutionKey&) {
  throw DeviceError("the emulated GPU has no cuDNN");
}
std::int64_t cudnn_version() { return 0; }

}  // namespace dml::cuda
