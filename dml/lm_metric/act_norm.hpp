#pragma once
#include "engine/kernel.hpp"

namespace dml::kernel {

/// The first values of an activation normalisation (Kingma and Dhariwal, NeurIPS 2018) from the
/// first batch that it sees: bias = -mean, logs = log(1 / (sqrt(variance) + 1e-6)), with the
/// population variance of every channel. Does nothing where `done` is not 0, and sets it to 1. The
/// flag is read where it lies, so the host waits for nothing.
/// x [rows, c]; bias, logs [c] in any shape; done: one number.
inline constinit Kernel<void(const Tensor& x, Tensor& bias, Tensor& logs, Tensor& done)>
    act_norm_start{"act_norm start"};

}  // namespace dml::kernel
