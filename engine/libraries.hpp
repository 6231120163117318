#pragma once
#include <map>
#include <string>

namespace dml {

/// The versions of the libraries in this build, by name ("oneDNN": "2.6.3"). Each is noted by the
/// one folder that may include the library.
const std::map<std::string, std::string>& library_versions();

/// Notes a version before main(). Returns true, so that a namespace-scope constant can hold the
/// call.
bool note_library(const std::string& name, const std::string& version);

}  // namespace dml
