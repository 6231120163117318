#pragma once
#include <string_view>

#include "weights_convert/storages.hpp"
#include "weights_convert/tree.hpp"

namespace dml::weights {

/// The result of a call that a pickle asks for. Nothing is ever called: the few functions that
/// torch's own files use are recognised by their whole names and described as data.
///
/// @param storages  null where no tensor may stand.
/// @param position  byte of the pickle, kept with the result.
/// @throws FormatError naming module and function for all others.
Value described_call(Tree& tree, const StorageTable* storages, const Value& function,
                     const Value& arguments, std::size_t position);

}  // namespace dml::weights
