#pragma once
#include <cstdint>
#include <functional>

#include "data/loader.hpp"
#include "engine/interrupted.hpp"
#include "engine/tape.hpp"

namespace dml {

/// What becomes of a batch of images on an inference tape: [n, h, w, 3] -> [n, d].
using Embedder = std::function<Var(const Var& images)>;

/// The embeddings of all images of a loader, in their order: [images, d] f32 on the host.
/// @param batch  images at once; the results of a net without batch statistics do not depend on it.
/// @param keep_going  asked after every batch; when it says no, the pass ends at once.
/// @throws Interrupted when keep_going said no.
Tensor embed_images(Device& device, const Embedder& embedder, Loader& loader, std::int64_t batch,
                    const std::function<bool()>& keep_going = {});

/// The classes of the images of a loader.
std::vector<std::int64_t> labels_of(const Loader& loader);

}  // namespace dml
