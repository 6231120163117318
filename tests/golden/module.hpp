#pragma once
#include <algorithm>

#include "dml/labels.hpp"
#include "engine/parameter.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {

/// Fills a store from the file: param.* for what is learnt, in.buffer.* for buffers; prefix is put
/// before the names of the store. Buffers that the file lacks stay as they are.
/// @throws FormatError for a parameter that the file lacks.
inline void fill_from(const Run& run, ParameterStore& store, const std::string& prefix = {}) {
  for (Parameter& one : store.all()) {
    const std::string name = (one.is_buffer ? "in.buffer." : "param.") + prefix + one.name;
    if (!one.is_buffer || run.given().has(name)) one.from_file(run.tensor(name), run.device());
  }
}

/// Hands in the gradients that a backward pass left in a store, in the layout of the file, and the
/// buffers that the file states.
inline void give_module(Run& run, const ParameterStore& store, const std::string& prefix = {}) {
  for (const Parameter& one : store.all()) {
    if (one.is_buffer) {
      const std::string name = "out.buffer." + prefix + one.name;
      if (run.given().has(name)) run.give(name, one.to_file());
    } else if (one.grad.defined()) {
      Parameter gradient = one;
      gradient.value = run.device().dense(one.grad);
      run.give("grad." + prefix + one.name, gradient.to_file());
    }
  }
}

/// The gradient of a variable after a backward pass, zeros where nothing depends on it.
inline Tensor gradient_of(const Tape& tape, const Var& variable) {
  const Tensor gradient = tape.gradient(variable);
  return gradient.defined() ? gradient : Tensor(variable.shape(), variable.dtype());
}

/// The labels of a case, with as many classes as its largest label asks for, or more.
inline Labels labels_of(const Run& run, std::int64_t classes = 0) {
  const Tensor tensor = run.tensor("in.labels");
  const auto values = tensor.data<std::int64_t>();
  for (const std::int64_t label : values) classes = std::max(classes, label + 1);
  return {{values.begin(), values.end()}, classes};
}

}  // namespace dml::golden
