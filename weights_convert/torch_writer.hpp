#pragma once
#include <filesystem>

#include "weights_convert/weights.hpp"

namespace dml::weights {

/// Writes tensors as torch.save writes a state dict: a zip file with stored records, the raw
/// numbers of every tensor at a multiple of 64 bytes, and a pickle of protocol 2 that
/// torch.load(file, weights_only=True) reads. Atomic; the same tensors give the same bytes.
/// @throws Error on a full disk.
void write_torch(const std::filesystem::path& file, const NamedTensors& tensors);

/// The pickle of that file: an OrderedDict of tensors, storage i being tensor i.
std::string state_dict_pickle(const NamedTensors& tensors);

}  // namespace dml::weights
