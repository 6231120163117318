#include "weights_convert/zip_archive.hpp"

#include <fmt/format.h>
#include <zip.h>

#include "engine/error.hpp"
#include "weights_convert/tree.hpp"

namespace dml::weights {
namespace {

std::string record_name(const InputFile& input, const std::string& name) {
  return fmt::format("{}: {}", input.path().string(), shown(name));
}

struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

/// libzip's side: it inflates and computes the CRC-32.
struct ZipArchive::Library {
  explicit Library(const std::filesystem::path& file) {
    int code = 0;
    archive = zip_open(file.c_str(), ZIP_RDONLY, &code);
    if (archive != nullptr) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw FormatError(fmt::format("{}: zip: {}", file.string(), text));
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { zip_discard(archive); }

  zip_t* archive = nullptr;
};

ZipArchive::ZipArchive(const std::filesystem::path& file)
    : input_(file), entries_(read_zip_directory(input_)) {}

ZipArchive::~ZipArchive() = default;

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

const ZipEntry& ZipArchive::usable(const std::string& name) const {
  const ZipEntry* entry = find(name);
  const std::string where = record_name(input_, name);
  if (entry == nullptr) throw FormatError(where + ": the record is missing");
  constexpr unsigned encrypted = 1U | 1U << 6U | 1U << 13U;
  if ((entry->flags & encrypted) != 0) throw FormatError(where + ": the record is encrypted");
  if (entry->method != 0 && entry->method != 8)
    throw FormatError(
        fmt::format("{}: compression method {} is not supported (stored and deflate "
                    "are)",
                    where, entry->method));
  if (entry->method == 0 && entry->size != entry->packed)
    throw FormatError(where + ": a stored record has two sizes");
  // Numbers that were trained do not compress well; more is a bomb.
  const std::uint64_t most = 2 * input_.size() + (std::uint64_t{8} << 20U);
  if (entry->size > most)
    throw FormatError(
        fmt::format("{}: the record claims {} bytes out of {}", where, entry->size, entry->packed));
  return *entry;
}

void ZipArchive::read(const std::string& name, std::span<std::byte> to) const {
  const ZipEntry& entry = usable(name);
  const std::string where = record_name(input_, name);
  if (to.size() != entry.size) throw FormatError(where + ": the record has another size");
  if (library_ == nullptr) library_ = std::make_unique<Library>(input_.path());
  const char* known = zip_get_name(library_->archive, entry.index, ZIP_FL_ENC_RAW);
  if (known == nullptr || name != known)  // two end records, and libzip took the other one
    throw FormatError(where + ": the central directory is ambiguous");
  const std::unique_ptr<zip_file_t, CloseEntry> file(
      zip_fopen_index(library_->archive, entry.index, 0));
  if (file == nullptr)
    throw FormatError(fmt::format("{}: {}", where, zip_strerror(library_->archive)));
  const auto fail = [&] {
    throw FormatError(
        fmt::format("{}: {}; the file is damaged", where, zip_file_strerror(file.get())));
  };
  while (!to.empty()) {
    const zip_int64_t got = zip_fread(file.get(), to.data(), to.size());
    if (got < 0) fail();
    if (got == 0) throw FormatError(where + ": the record is shorter than it claims");
    to = to.subspan(static_cast<std::size_t>(got));
  }
  // libzip compares the CRC-32 when it meets the end.
  std::byte more{};
  if (const zip_int64_t got = zip_fread(file.get(), &more, 1); got < 0) {
    fail();
  } else if (got > 0) {
    throw FormatError(where + ": the record is longer than it claims");
  }
}

std::string ZipArchive::text(const std::string& name) const {
  std::string result(usable(name).size, '\0');
  read(name, std::as_writable_bytes(std::span<char>(result)));
  return result;
}

}  // namespace dml::weights
