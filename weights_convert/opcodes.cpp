#include "weights_convert/opcodes.hpp"

#include <fmt/format.h>

namespace dml::weights {

std::string refusal_of(Op code) {
  constexpr std::pair<std::uint8_t, const char*> refused[] = {
      {0x46, "FLOAT"},  {0x49, "INT"},         {0x4C, "LONG"},
      {0x50, "PERSID"}, {0x53, "STRING"},      {0x56, "UNICODE"},
      {0x67, "GET"},    {0x69, "INST"},        {0x6F, "OBJ"},
      {0x70, "PUT"},    {0x82, "EXT1"},        {0x83, "EXT2"},
      {0x84, "EXT4"},   {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"}};
  for (const auto& [byte, name] : refused)
    if (byte == static_cast<std::uint8_t>(code))
      return fmt::format("opcode {} is not supported; torch's files have none", name);
  return fmt::format("byte 0x{:02x} is no pickle opcode; the file is damaged or no pickle",
                     static_cast<unsigned>(code));
}

}  // namespace dml::weights
