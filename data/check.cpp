#include "data/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "data/image/reader.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/file.hpp"
#include "engine/interrupted.hpp"

namespace dml {
namespace {

/// Looks at one file. @return why it cannot be used; empty when it can.
std::string look_at(const Item& item, bool deep, Size& size) {
  try {
    const std::string bytes = read_file(item.file);
    const auto decoder = open_picture(bytes, item.file.string());
    const Size found = decoder->size();
    const Box& box = item.box;
    if (!box.empty() && (box.left < 0 || box.top < 0 || box.width > found.width - box.left ||
                         box.height > found.height - box.top))
      return fmt::format("{}: its box is not inside the picture of {} x {} pixels",
                         item.file.string(), found.width, found.height);
    if (deep) {
      Image image;
      decoder->read({0, 0, found.width, found.height}, image);
    }
    size = found;
    return "";
  } catch (const std::bad_alloc&) {
    return item.file.string() + ": out of memory";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

ImageCheck check_images(const std::vector<Item>& items, bool deep, int threads,
                        const std::function<bool()>& keep_going) {
  constexpr std::int64_t at_once = 256;  // between two looks at keep_going
  const auto count = static_cast<std::int64_t>(items.size());
  ImageCheck check;
  check.sizes.resize(items.size());
  std::vector<std::string> problems(items.size());
  for (std::int64_t begin = 0; begin < count; begin += at_once) {
    if (keep_going && !keep_going()) throw Interrupted("interrupted while images were checked");
    const std::int64_t width = std::min(at_once, count - begin);
    cpu::parallel_for(threads, width, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = begin + first; i < begin + last; ++i) {
        const auto at = static_cast<std::size_t>(i);
        problems[at] = look_at(items[at], deep, check.sizes[at]);
      }
    });
  }
  for (std::size_t i = 0; i < items.size(); ++i)
    if (!problems[i].empty())
      check.unreadable.push_back({static_cast<std::int64_t>(i), problems[i]});
  return check;
}

std::vector<std::pair<std::int64_t, std::int64_t>> exact_duplicates(const std::vector<Item>& items,
                                                                    int threads) {
  std::map<std::uintmax_t, std::vector<std::int64_t>> by_size;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(items[i].file, missing);
    if (!missing && size > 0) by_size[size].push_back(static_cast<std::int64_t>(i));
  }
  std::vector<std::int64_t> suspects;
  for (const auto& [size, list] : by_size)
    if (list.size() > 1) suspects.insert(suspects.end(), list.begin(), list.end());
  std::vector<std::string> hashes(suspects.size());
  cpu::parallel_for(threads, static_cast<std::int64_t>(suspects.size()), 1,
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t i = first; i < last; ++i) {
                        const auto at = static_cast<std::size_t>(i);
                        try {
                          hashes[at] =
                              sha256_of_file(items[static_cast<std::size_t>(suspects[at])].file);
                        } catch (const Error&) {
                          hashes[at].clear();  // it is among the unreadable ones
                        }
                      }
                    });
  std::map<std::string, std::int64_t> first_of;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  std::vector<std::size_t> order(suspects.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return suspects[a] < suspects[b]; });
  for (const std::size_t i : order) {
    if (hashes[i].empty()) continue;
    const auto [found, fresh] = first_of.emplace(hashes[i], suspects[i]);
    // One file that a list names twice is no second copy.
    const auto& same = items[static_cast<std::size_t>(found->second)].file;
    if (!fresh && same != items[static_cast<std::size_t>(suspects[i])].file)
      pairs.emplace_back(found->second, suspects[i]);
  }
  return pairs;
}

Manifest without_bad_images(Manifest manifest, int threads,
                            const std::function<void(const std::string&)>& tell,
                            const std::function<bool()>& keep_going) {
  const ImageCheck check = check_images(manifest.items, true, threads, keep_going);
  std::vector<char> bad(manifest.items.size(), 0);
  for (const ImageCheck::Problem& problem : check.unreadable) {
    bad[static_cast<std::size_t>(problem.item)] = 1;
    tell(problem.text + "; left out");
  }
  Manifest result = manifest;
  result.items.clear();
  for (std::size_t i = 0; i < manifest.items.size(); ++i)
    if (bad[i] == 0) result.items.push_back(manifest.items[i]);
  for (const Split split : {Split::train, Split::validation, Split::test})
    if (manifest.counts(split).images > 0 && result.counts(split).images == 0)
      throw DataError(fmt::format("{}: none of the {} images of split {} can be read",
                                  manifest.root.string(), manifest.counts(split).images,
                                  name_of(split)));
  return result;
}

}  // namespace dml
