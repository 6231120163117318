#pragma once
#include <nlohmann/json.hpp>

#include "engine/device.hpp"

namespace dml {

/// Name, version, compiler, kind of build.
nlohmann::ordered_json program_json();

/// Everything about program, libraries, machine and source state that a result may depend on.
nlohmann::ordered_json environment_json(const Device& device);

}  // namespace dml
