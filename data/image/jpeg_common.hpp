#pragma once
#include <csetjmp>
#include <cstddef>
#include <cstdio>
//
#include <jpeglib.h>

namespace dml::jpeg {

/// libjpeg's way out of an error is a function that does not return. This one keeps the text and
/// jumps back to guarded(); no object with a destructor may live between the two.
struct Errors {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  int code;
};

/// Prepares `errors`; warnings are not printed.
jpeg_error_mgr* install(Errors& errors);

/// Runs fn, which calls libjpeg. False when libjpeg met an error: errors.text says which.
template <class Fn> bool guarded(Errors& errors, const Fn& fn) {
  if (setjmp(errors.jump) != 0) return false;
  fn();
  return true;
}

}  // namespace dml::jpeg
