#pragma once
// Names of cuDNN that the engine's handles need; its convolutions are in
// engine/cuda/cudnn_graph.cuh.
using cudnnHandle_t = struct FakeCudnn*;
enum cudnnStatus_t : int {};
inline constexpr cudnnStatus_t CUDNN_STATUS_SUCCESS{};
inline cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return *handle = nullptr, CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnDestroy(cudnnHandle_t) { return CUDNN_STATUS_SUCCESS; }
inline cudnnStatus_t cudnnSetStream(cudnnHandle_t, struct FakeStream*) {
  return CUDNN_STATUS_SUCCESS;
}
