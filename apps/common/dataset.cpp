#include "apps/common/dataset.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "data/check.hpp"

namespace dml {

std::filesystem::path data_folder(const std::string& configured) {
  if (!configured.empty()) return configured;
  const char* environment = std::getenv("DML_DATA_DIR");
  return environment != nullptr && *environment != '\0' ? environment : "data";
}

Manifest read_dataset(const std::string& name, const Settings& settings,
                      const std::filesystem::path& root,
                      const std::function<void(const std::string&)>& notice, bool may_write) {
  try {
    return Registry<Dataset>::make(name, settings,
                                   {.root = root, .notice = notice, .may_write = may_write})
        ->read();
  } catch (const FormatError&) {
    throw;
  } catch (const DataError& error) {
    if (std::string(error.what()).find("--dataset shapes") != std::string::npos) throw;
    throw DataError(std::string(error.what()) +
                    "\n  to try it at once on images that are built in: --dataset shapes");
  }
}

std::int64_t leave_out_bad_images(Manifest& manifest, int threads,
                                  const std::function<void(const std::string&)>& tell,
                                  const std::function<bool()>& keep_going) {
  const auto before = std::ssize(manifest.items);
  manifest = without_bad_images(std::move(manifest), threads, tell, keep_going);
  const std::int64_t gone = before - std::ssize(manifest.items);
  tell(fmt::format("{} of {} images cannot be read and are left out", gone, before));
  return gone;
}

}  // namespace dml
