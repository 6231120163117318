#include "tests/golden/optimizer_run.hpp"

#include <cstdlib>

namespace dml::golden {

std::vector<double> numbers_in(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const bool starts = (*at >= '0' && *at <= '9') || *at == '-' || *at == '.';
    const double value = starts ? std::strtod(at, &end) : 0;
    if (starts && end != at) {
      numbers.push_back(value);
      at = end;
    } else {
      ++at;
    }
  }
  return numbers;
}

std::string exact(double value) { return schema::text_of(value); }

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor host = tensor.to_host().to(DType::f64);
  const auto values = host.data<double>();
  return {values.begin(), values.end()};
}

Tensor from_doubles(const Run& run, const std::vector<double>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return run.device().upload(Tensor::of<double>({size}, values).to(run.type()));
}

Tensor matrix(const std::vector<double>& values, std::size_t columns) {
  return Tensor::of<double>(
      {static_cast<std::int64_t>(values.size() / columns), static_cast<std::int64_t>(columns)},
      values);
}

std::vector<double> quadratic_gradient(const std::vector<double>& matrix,
                                       const std::vector<double>& centre,
                                       const std::vector<double>& p) {
  const std::size_t n = p.size();
  std::vector<double> gradient(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) gradient[i] += matrix[i * n + j] * (p[j] - centre[j]);
  return gradient;
}

}  // namespace dml::golden
