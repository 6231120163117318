#pragma once

#include <cstdint>

namespace dml::weights::zip {

/// Signatures and sizes in bytes of PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16.
inline constexpr std::uint64_t local_signature = 0x04034B50, entry_signature = 0x02014B50,
                               end_signature = 0x06054B50, end64_signature = 0x06064B50,
                               locator_signature = 0x07064B50;
inline constexpr std::uint64_t end_size = 22, locator_size = 20, end64_size = 56, local_size = 30;

/// A field that is full says that the number stands in the 64-bit record.
inline constexpr std::uint64_t full16 = 0xFFFF, full32 = 0xFFFFFFFF;

}  // namespace dml::weights::zip
