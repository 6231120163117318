#pragma once
#include "engine/event.hpp"
#include "engine/parameter.hpp"

namespace dml {

/// The Euclidean norm of all gradients; not finite when one of them holds NaN or infinity. The sum
/// is taken in an order that does not depend on the number of threads.
double gradient_norm(Device& device, const ParameterStore& store);

/// The same for the parameters of every group: `grad_norm_net`, `grad_norm_loss` (what the loss
/// learns) and `grad_norm_NAME` for every group that was given a name. Empty where there is but
/// one.
Figures gradient_norms(Device& device, const ParameterStore& store);

/// The position of the first number of a tensor that is NaN or infinite; -1 when there is none.
/// Tensors of whole numbers have none.
std::int64_t first_not_finite(const Tensor& tensor);

}  // namespace dml
