#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "weights_convert/tree.hpp"

namespace dml::weights {

/// The tensors of a saved object with their dotted names.
struct Flattened {
  struct Named {
    std::string name;
    Value tensor;
  };
  std::vector<Named> tensors;
  std::int64_t left_out = 0;           ///< values beside them that are no tensors
  std::vector<std::string> unwrapped;  ///< keys that were opened: "state_dict"
};

/// Names the tensors of a saved object:
///  1. while the root is a mapping that holds a mapping with tensors under `state_dict`,
///     `model_state_dict`, `model`, `net`, `network`, `module` or `weights` (in this order), that
///     one becomes the root;
///  2. a bare tensor is "tensor"; otherwise keys (texts, whole numbers) and list positions are
///     joined by dots.
/// @throws FormatError when there is no tensor, a container holds itself, or there are more than
///         65,536 tensors or 16 MB of names.
Flattened flatten(const Tree& tree);

}  // namespace dml::weights
