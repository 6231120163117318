#include "tests/golden/compare.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace dml::golden {
namespace {

/// How far two tensors are apart. `worst` is relative to m, the larger of 1 and the largest finite
/// element in the same row of want: a row of 1e12 hides nothing in the other rows.
struct Distance {
  double worst = 0;   // largest |got - want| / m
  double beyond = 0;  // largest (|got - want| - slack) / m
  double l2 = 0, want_l2 = 0;
  std::int64_t at = 0;  // where beyond is
  bool broken = false;  // not finite where want is, or the other way round
};

/// |got - want| <= slack + relative * m for all elements.
struct Allowed {
  double slack = 0, relative = 0;
  bool l2 = false;
  std::vector<double> slacks{};  ///< of each element, in place of slack; or empty

  double slack_at(std::int64_t i) const {
    return slacks.empty() ? slack : slacks.at(static_cast<std::size_t>(i));
  }
};

Distance distance(const Tensor& got, const Tensor& want, const Allowed& limit) {
  const Tensor a = got.to(DType::f64), b = want.to(DType::f64);
  Distance result;
  result.beyond = -std::numeric_limits<double>::infinity();
  const std::int64_t width = b.rank() < 2 ? b.size() : b.row_length();
  for (std::int64_t start = 0; start < b.size(); start += width) {
    const double *x = a.raw<double>() + start, *y = b.raw<double>() + start;
    double m = 1;
    for (std::int64_t i = 0; i < width; ++i)
      if (std::isfinite(y[i])) m = std::max(m, std::abs(y[i]));
    for (std::int64_t i = 0; i < width; ++i) {
      if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
        const bool same = (std::isnan(x[i]) && std::isnan(y[i])) || x[i] == y[i];
        result.broken = result.broken || !same;
        continue;
      }
      const double error = std::abs(x[i] - y[i]);
      result.worst = std::max(result.worst, error / m);
      const double beyond = (error - limit.slack_at(start + i)) / m;
      if (beyond > result.beyond) {
        result.beyond = beyond;
        result.at = start + i;
      }
      result.l2 += error * error;
      result.want_l2 += y[i] * y[i];
    }
  }
  result.l2 = std::sqrt(result.l2);
  result.want_l2 = std::sqrt(result.want_l2);
  return result;
}

Allowed allowed(const Run& run, const std::string& name) {
  if (run.type() == DType::f64) return {0, 1e-9};
  const auto loose = run.loosened().find(name);
  if (loose != run.loosened().end())
    return {0, loose->second.relative, loose->second.l2, loose->second.slack};
  const double error = run.given().f32_error(name);
  if (error >= 0) return {10 * error, 1e-6};
  return {0, 1e-5};
}

bool same_shape(const Shape& got, const Shape& want) {
  const bool one_number = count(got) == 1 && count(want) == 1;
  return got == want || one_number;
}

void check_one(const Run& run, const std::string& name, const Tensor& want, Verdict& verdict) {
  const auto fail = [&](const std::string& text) {
    if (verdict.passed) verdict = {false, verdict.worst, name, text};
  };
  const auto found = run.results().find(name);
  if (found == run.results().end()) return fail("was not computed");
  const Tensor& got = found->second;
  if (!same_shape(got.shape(), want.shape()))
    return fail("has shape " + to_string(got.shape()) + ", not " + to_string(want.shape()));
  const Allowed limit = allowed(run, name);
  const Distance d = distance(got, want, limit);
  if (d.broken) return fail("is not finite where the reference is, or the other way round");
  if (!is_float(want.dtype())) {
    if (d.worst != 0) fail("integers differ");
    return;
  }
  const bool good =
      limit.l2 ? d.l2 <= limit.relative * d.want_l2 + 1e-12 : d.beyond <= limit.relative;
  if (d.worst > verdict.worst || verdict.tensor.empty()) {
    verdict.worst = std::max(verdict.worst, d.worst);
    if (verdict.passed) verdict.tensor = name;
  }
  if (!good)
    fail(fmt::format(
        "error {:.3g} relative; allowed {:.3g}{} plus {:.3g} absolute; worst: element {} is "
        "{:.9g}, wanted {:.9g}",
        d.worst, limit.relative, limit.l2 ? " of the norm" : "", limit.slack_at(d.at), d.at,
        got.to(DType::f64).raw<double>()[d.at], want.to(DType::f64).raw<double>()[d.at]));
}

}  // namespace

Verdict compare(const Run& run) {
  Verdict verdict;
  int compared = 0;
  for (const auto& [name, want] : run.given().contents().tensors) {
    if (!name.starts_with("out.") && !name.starts_with("grad.")) continue;
    if (run.ignored().contains(name)) continue;
    check_one(run, name, want, verdict);
    ++compared;
  }
  if (compared == 0 && run.ignored().empty())
    verdict = {false, 0, "", "nothing was compared: the file has no out.* or grad.*"};
  for (const auto& [name, tensor] : run.results())
    if (verdict.passed && !run.given().has(name) && name.starts_with("grad."))
      verdict = {false, verdict.worst, name, "was computed, but is not in the file"};
  return verdict;
}

}  // namespace dml::golden
