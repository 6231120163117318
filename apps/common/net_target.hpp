#pragma once
#include <string>

#include "nets/net.hpp"
#include "weights_convert/rule.hpp"

namespace dml {

/// What a net of that name wants from a file of weights, and the input that it wants.
struct NetDescription {
  weights::NetTarget target;
  Preprocessing preprocessing;
};

/// @param classes  outputs of the classifier; 0: as many as the file has.
/// @throws UsageError with the nearest known name.
NetDescription describe_net(const std::string& name, std::int64_t classes);

}  // namespace dml
