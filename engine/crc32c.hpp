#pragma once
#include <cstdint>
#include <string_view>

namespace dml {

/// CRC-32C (Castagnoli) of bytes, as in iSCSI (RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

}  // namespace dml
