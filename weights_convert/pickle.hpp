#pragma once
#include <string>
#include <string_view>

#include "weights_convert/storages.hpp"
#include "weights_convert/tree.hpp"

namespace dml::weights {

/// Reads one pickle (protocols 2 to 5) as data. It can execute nothing: no name is ever looked up,
/// calls are described (calls.hpp), objects of unknown classes are opaque, and all opcodes that
/// torch does not use are refused by name. Every length is checked before memory is taken; values
/// are held in a Tree, so that no nesting is too deep.
///
/// @param bytes     the pickle and whatever follows it; it must outlive the tree.
/// @param where     for messages: "model.pth: data.pkl".
/// @param limit     bytes that the values may take in memory.
/// @param storages  takes the persistent ids; null where no tensor may stand.
/// @param start     of the pickle in the file, added to positions in messages.
/// @throws FormatError "where, byte N: what".
Tree read_pickle(std::string_view bytes, const std::string& where, std::uint64_t limit,
                 StorageTable* storages, std::uint64_t start = 0);

}  // namespace dml::weights
