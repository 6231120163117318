#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace dml {

/// How names of components are compared: lower case, without hyphens, underscores, blanks.
/// "BN-Inception", "bn_inception" and "bninception" are one name.
std::string canonical(std::string_view name);

/// The text without white space at its ends.
std::string trimmed(std::string_view text);

/// The known name nearest to a misspelt one (edit distance of canonical forms), or "" when none is
/// near enough to be meant.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

/// "; did you mean 'x'?", or "; known: a, b, c" when nothing is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

}  // namespace dml
