#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/trace.hpp"
#include "weights_convert/onnx/model.hpp"

namespace dml::onnx {

/// The name of a constant of the trace and its value as it stands in files (channels first); an
/// empty name where it is no weight of the model.
using WeightOf = std::function<std::pair<std::string, Tensor>(const Tensor& constant)>;

/// Which values of a trace go in and out, and under which names. The first size of each is the
/// batch's.
struct Ends {
  std::pair<std::string, int> input;
  std::vector<std::pair<std::string, int>> outputs;
};

/// Writes a traced pass in the operators of ONNX. Maps are channels last here and channels first
/// there; batch norms stay nodes of their own, which runtimes fold when they load the file.
/// @throws UsageError naming an op that has no counterpart, or a constant that is no weight.
Model translate(const Trace& trace, const Ends& ends, const WeightOf& weight_of);

}  // namespace dml::onnx
