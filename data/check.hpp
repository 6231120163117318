#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.hpp"
#include "data/transform.hpp"

namespace dml {

/// What looking at the files of images found.
struct ImageCheck {
  /// An image that cannot be used, and why.
  struct Problem {
    std::int64_t item;  ///< which one
    std::string text;   ///< with the name of the file
  };
  std::vector<Problem> unreadable;  ///< in the order of the items
  std::vector<Size> sizes;          ///< of every item; 0 x 0 where it cannot be read
};

/// Looks at the file of every item.
/// @param deep     decodes every pixel; otherwise only the head of each picture is read.
/// @param threads  of the processor; the result does not depend on it.
/// @param keep_going  asked now and then; false ends the check with Interrupted. May be empty.
ImageCheck check_images(const std::vector<Item>& items, bool deep, int threads,
                        const std::function<bool()>& keep_going = {});

/// Pairs of items whose files hold the same bytes: each later one with the first.
/// Only files of one size are compared.
std::vector<std::pair<std::int64_t, std::int64_t>> exact_duplicates(const std::vector<Item>& items,
                                                                    int threads);

/// Takes out what cannot be read. Labels stay as they are.
/// @param tell  hears the name of each.
/// @throws DataError when nothing is left of a split that had images.
Manifest without_bad_images(Manifest manifest, int threads,
                            const std::function<void(const std::string&)>& tell,
                            const std::function<bool()>& keep_going = {});

}  // namespace dml
