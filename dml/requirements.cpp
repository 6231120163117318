#include "dml/requirements.hpp"

#include <fmt/core.h>

#include "engine/error.hpp"

namespace dml {

void require(const Requirements& needed, const std::string& loss, const Guarantee& given,
             const std::string& sampler) {
  if (given.images_per_class < needed.images_per_class)
    throw UsageError(fmt::format(
        "loss '{}' needs at least {} images of each class in a batch; sampler '{}' promises {}\n"
        "  take a sampler of classes times images: --sampler classes_times_images",
        loss, needed.images_per_class, sampler, given.images_per_class));
  if (given.classes < needed.classes)
    throw UsageError(fmt::format(
        "loss '{}' needs at least {} different classes in a batch; sampler '{}' promises {}\n"
        "  raise the number of classes per batch, or the batch size",
        loss, needed.classes, sampler, given.classes));
  if (needed.one_part && !given.one_part)
    throw UsageError(fmt::format(
        "loss '{}' divides the training set and needs batches from one part each; sampler '{}' "
        "mixes the parts\n  take the one that knows them: --sampler divide",
        loss, sampler));
}

}  // namespace dml
