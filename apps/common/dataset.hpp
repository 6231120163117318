#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "data/dataset.hpp"

namespace dml {

/// $DML_DATA_DIR or ./data where the configuration names no folder.
std::filesystem::path data_folder(const std::string& configured);

/// The dataset of that name below a folder, with a way to a first try in the error when it is not
/// there.
/// @param may_write  whether a set that the program makes itself is made when it is not there.
Manifest read_dataset(const std::string& name, const Settings& settings,
                      const std::filesystem::path& root,
                      const std::function<void(const std::string&)>& notice, bool may_write = true);

/// Takes out the images that cannot be read, for --on-bad-image skip.
/// @param tell  hears of each, and of how many there were.
/// @return how many there were.
std::int64_t leave_out_bad_images(Manifest& manifest, int threads,
                                  const std::function<void(const std::string&)>& tell,
                                  const std::function<bool()>& keep_going);

}  // namespace dml
