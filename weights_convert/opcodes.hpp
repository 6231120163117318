#pragma once
#include <cstdint>
#include <string>

namespace dml::weights {

/// The opcodes of pickle protocols 2 to 5 that torch's files use (Python's pickletools).
enum class Op : std::uint8_t {
  mark = 0x28,
  empty_tuple = 0x29,
  stop = 0x2E,
  pop = 0x30,
  pop_mark = 0x31,
  dup = 0x32,
  binbytes = 0x42,
  short_binbytes = 0x43,
  binfloat = 0x47,
  binint = 0x4A,
  binint1 = 0x4B,
  binint2 = 0x4D,
  none = 0x4E,
  binpersid = 0x51,
  reduce = 0x52,
  binstring = 0x54,
  short_binstring = 0x55,
  binunicode = 0x58,
  empty_list = 0x5D,
  append = 0x61,
  build = 0x62,
  global = 0x63,
  dict = 0x64,
  appends = 0x65,
  binget = 0x68,
  long_binget = 0x6A,
  list = 0x6C,
  binput = 0x71,
  long_binput = 0x72,
  setitem = 0x73,
  tuple = 0x74,
  setitems = 0x75,
  empty_dict = 0x7D,
  proto = 0x80,
  newobj = 0x81,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  new_true = 0x88,
  new_false = 0x89,
  long1 = 0x8A,
  long4 = 0x8B,
  short_binunicode = 0x8C,
  binunicode8 = 0x8D,
  binbytes8 = 0x8E,
  empty_set = 0x8F,
  additems = 0x90,
  frozen_set = 0x91,
  newobj_ex = 0x92,
  stack_global = 0x93,
  memoize = 0x94,
  frame = 0x95,
  bytearray8 = 0x96,
};

/// Why an opcode that is not among these is refused: its name, or that it does not exist.
std::string refusal_of(Op code);

}  // namespace dml::weights
