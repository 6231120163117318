#include "apps/training/needs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engine/error.hpp"

namespace dml {
namespace {

/// How many classes have fewer images than `least`.
std::int64_t smaller_than(const std::map<std::int64_t, std::int64_t>& images, std::int64_t least) {
  return std::count_if(images.begin(), images.end(),
                       [least](const auto& entry) { return entry.second < least; });
}

}  // namespace

void require_images(const std::vector<Item>& train, const Requirements& needed,
                    const std::string& loss, const Guarantee& batches,
                    const std::function<void(const std::string&)>& tell) {
  std::map<std::int64_t, std::int64_t> images;
  for (const Item& item : train) ++images[item.label];
  std::int64_t largest = 0;
  for (const auto& [label, count] : images) largest = std::max(largest, count);
  const std::int64_t all = std::ssize(images);
  const std::int64_t large = all - smaller_than(images, needed.images_per_class);
  if (large < std::max<std::int64_t>(1, needed.classes))
    throw UsageError(fmt::format(
        "loss '{}' needs at least {} classes of {} or more images; of {} training classes {} are "
        "so large, the largest has {}",
        loss, std::max<std::int64_t>(1, needed.classes), needed.images_per_class, all, large,
        largest));
  const std::int64_t wanted = std::max(needed.images_per_class, batches.images_per_class);
  if (const std::int64_t small = smaller_than(images, wanted); small > 0)
    tell(
        fmt::format("{} of {} training classes have fewer than the {} images that a batch takes "
                    "of a class; they are repeated or left out",
                    small, all, wanted));
  if (largest < 2) tell("no training class has two images: no pair and no triplet has a positive");
}

void require_queries(const std::vector<Item>& items, const std::string& dataset,
                     const std::string& split) {
  std::map<std::int64_t, std::int64_t> gallery;
  std::int64_t found = 0, queries = 0;
  for (const Item& item : items)
    if (item.gallery) ++gallery[item.label], ++found;
  bool answered = false;
  for (const Item& item : items) {
    if (!item.query) continue;
    ++queries;
    const auto own = gallery.find(item.label);
    answered = answered || (own != gallery.end() && own->second > (item.gallery ? 1 : 0));
  }
  if (items.empty()) return;
  const auto refuse = [&](const std::string& what) {
    throw DataError(
        fmt::format("{}: {} {} images, {}\n  nothing can be measured; to train without, "
                    "--eval-every 0",
                    dataset, items.size(), split, what));
  };
  if (queries == 0) refuse("all of the gallery: there is no query");
  if (found == 0) refuse("all queries: there is no gallery");
  if (!answered) refuse("but no query has another image of its class in the gallery");
}

std::vector<std::string> doubts(const Config& config, std::int64_t steps_per_epoch) {
  std::vector<std::string> found;
  const Settings augment = config.all_settings("augment");
  const auto given = augment.find("resize");
  const std::int64_t resize = given == augment.end() ? 0 : std::stoll(given->second);
  const std::int64_t size = config.integer("image_size");
  if (size * size * 2 < resize * resize)
    found.push_back(
        fmt::format("test images are resized to {} and cropped to {}: {} % of the shorter side is "
                    "seen\n  --set augment.resize=0 takes a size that fits --image-size",
                    resize, size, 100 * size / resize));
  const std::int64_t rests = config.integer("freeze_net_epochs");
  const std::int64_t steps = config.integer("steps");
  const bool to_the_end =
      steps > 0 ? steps <= rests * steps_per_epoch : config.integer("epochs") <= rests;
  if (rests > 0 && to_the_end)
    found.push_back(fmt::format(
        "the net rests in the first {} epochs of {} steps, and the run is no longer: head and loss "
        "alone learn\n  --freeze-net-epochs 0 trains the net from the start",
        rests, steps_per_epoch));
  return found;
}

}  // namespace dml
