#pragma once
#include "engine/error.hpp"

namespace dml {

/// The user asked to stop.
class Interrupted : public Error {
 public:
  using Error::Error;
  int exit_code() const override { return 130; }
};

}  // namespace dml
