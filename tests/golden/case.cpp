#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

double largest(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::f64);
  double most = 0;
  for (const double value : values.data<double>())
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  return most;
}

}  // namespace

Case Case::read(const std::filesystem::path& file) {
  Case result;
  result.file_ = file;
  result.contents_ = read_safetensors(file);
  return result;
}

std::string Case::name() const { return (file_.parent_path().filename() / file_.stem()).string(); }

std::vector<std::string> Case::names(const std::string& prefix) const {
  std::vector<std::string> list;
  for (const auto& [name, tensor] : contents_.tensors)
    if (name.starts_with(prefix)) list.push_back(name);
  return list;
}

std::string Case::text(const std::string& key) const {
  const auto found = contents_.metadata.find(key);
  if (found == contents_.metadata.end())
    throw FormatError(file_.string() + ": metadata '" + key + "' is needed, the file has none");
  return found->second;
}

std::string Case::text(const std::string& key, const std::string& fallback) const {
  return says(key) ? text(key) : fallback;
}

std::vector<double> Case::numbers(const std::string& key) const {
  std::string list = text(key);
  for (char& letter : list)
    if (std::string("()[],;").find(letter) != std::string::npos) letter = ' ';
  std::istringstream words(list);
  std::vector<double> values;
  for (std::string word; words >> word;) {
    std::size_t used = 0;
    try {
      values.push_back(std::stod(word, &used));
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != word.size())
      throw FormatError(file_.string() + ": metadata '" + key + "' = '" + text(key) +
                        "' is not a list of numbers");
  }
  return values;
}

double Case::number(const std::string& key) const {
  const std::vector<double> values = numbers(key);
  if (values.size() != 1)
    throw FormatError(file_.string() + ": metadata '" + key + "' = '" + text(key) +
                      "' is not one number");
  return values[0];
}

double Case::number(const std::string& key, double fallback) const {
  return says(key) ? number(key) : fallback;
}

std::int64_t Case::integer(const std::string& key) const {
  return static_cast<std::int64_t>(std::llround(number(key)));
}

std::int64_t Case::integer(const std::string& key, std::int64_t fallback) const {
  return says(key) ? integer(key) : fallback;
}

std::vector<std::int64_t> Case::integers(const std::string& key) const {
  std::vector<std::int64_t> values;
  for (const double value : numbers(key)) values.push_back(std::llround(value));
  return values;
}

bool Case::flag(const std::string& key, bool fallback) const {
  if (!says(key)) return fallback;
  std::string word = text(key);
  for (char& letter : word)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  throw FormatError(file_.string() + ": metadata '" + key + "' = '" + text(key) +
                    "' is neither true nor false");
}

double Case::f32_error(const std::string& tensor) const {
  if (says("float32_abs_err_of_reference")) {  // one number, or one per tensor
    const auto errors = nlohmann::json::parse(text("float32_abs_err_of_reference"), nullptr, false);
    if (errors.is_number()) return errors.get<double>();
    if (errors.is_object() && errors.contains(tensor) && errors[tensor].is_number())
      return errors[tensor].get<double>();
    return -1;
  }
  const std::string key =
      tensor.starts_with("grad.") ? "float32.grad_rel_err" : "float32.loss_rel_err";
  if (says(key) && has(tensor)) {
    const double error = number(key) * largest(at(tensor));
    return std::isfinite(error) ? error : -1;
  }
  return -1;
}

}  // namespace dml::golden
