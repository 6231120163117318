#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/where.hpp"

namespace dml {

/// The root of all errors that this program throws on purpose. The text says what was asked for,
/// what was found and what to do; it may have several lines, the first being the summary.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text, Where where = Where::here())
      : std::runtime_error(text), where_(where) {}

  /// The place in the source that threw.
  Where where() const { return where_; }

  /// The exit status of a tool that ends with this error (docs: exit status of the tools).
  virtual int exit_code() const { return 1; }

 private:
  Where where_;
};

/// Flags, configuration keys, values out of range.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& text, Where where = Where::here()) : Error(text, where) {}
  int exit_code() const override { return 2; }
};

/// Images, dataset layout, files that are missing.
class DataError : public Error {
 public:
  explicit DataError(const std::string& text, Where where = Where::here()) : Error(text, where) {}
  int exit_code() const override { return 3; }
};

/// A file whose contents are not what its format wants (weights, npy, JPEG, TOML).
class FormatError : public DataError {
 public:
  explicit FormatError(const std::string& text, Where where = Where::here())
      : DataError(text, where) {}
};

/// A device that is absent, out of memory, or not in this build.
class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& text, Where where = Where::here()) : Error(text, where) {}
  int exit_code() const override { return 4; }
};

/// Shapes that do not go together: the fault of the caller of an op.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& text, Where where = Where::here()) : Error(text, where) {}
};

/// An element type that an op does not take.
class TypeError : public Error {
 public:
  explicit TypeError(const std::string& text, Where where = Where::here()) : Error(text, where) {}
};

/// NaN or infinity in a loss or gradient.
class NumericError : public Error {
 public:
  explicit NumericError(const std::string& text, Where where = Where::here())
      : Error(text, where) {}
};

}  // namespace dml
