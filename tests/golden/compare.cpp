#include "tests/golden/compare.hpp"

#include <fmt/format.h>

#include <cmath>

namespace dml::golden {
namespace {

struct Distance {
  double scale = 1;    // max(1, largest finite element of want)
  double largest = 0;  // of |got - want|
  double l2 = 0, want_l2 = 0;
  bool broken = false;  // not finite where want is, or the other way round
};

Distance distance(const Tensor& got, const Tensor& want) {
  const Tensor a = got.to(DType::f64), b = want.to(DType::f64);
  Distance result;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.raw<double>()[i], y = b.raw<double>()[i];
    if (!std::isfinite(x) || !std::isfinite(y)) {
      const bool same = (std::isnan(x) && std::isnan(y)) || x == y;
      result.broken = result.broken || !same;
      continue;
    }
    result.scale = std::max(result.scale, std::abs(y));
    result.largest = std::max(result.largest, std::abs(x - y));
    result.l2 += (x - y) * (x - y);
    result.want_l2 += y * y;
  }
  result.l2 = std::sqrt(result.l2);
  result.want_l2 = std::sqrt(result.want_l2);
  return result;
}

double allowed(const Run& run, const std::string& name, const Distance& d) {
  if (run.type() == DType::f64) return 1e-9 * d.scale;
  const double error = run.given().f32_error(name);
  if (error >= 0) return 10 * error + 1e-6 * d.scale;
  return 1e-5 * d.scale;
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
  const Distance d = distance(got, want);
  const bool first = verdict.tensor.empty();
  const double relative = d.largest / d.scale;
  if (d.broken) return fail("is not finite where the reference is, or the other way round");
  if (!is_float(want.dtype())) {
    if (d.largest != 0) fail(fmt::format("integers differ by up to {}", d.largest));
    return;
  }
  const auto loose = run.loosened().find(name);
  const bool loosened = run.type() == DType::f32 && loose != run.loosened().end();
  bool good = d.largest <= allowed(run, name, d);
  double limit = allowed(run, name, d) / d.scale;
  if (loosened && loose->second.l2) {
    limit = loose->second.relative;
    good = d.l2 <= limit * d.want_l2 + 1e-12;
  } else if (loosened) {
    limit = loose->second.relative;
    good = d.largest <= limit * d.scale;
  }
  if (!good) fail(fmt::format("error {:.3g} relative, {:.3g} allowed", relative, limit));
  if (relative > verdict.worst || first) {
    verdict.worst = std::max(verdict.worst, relative);
    if (verdict.passed) verdict.tensor = name;
  }
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
  if (compared == 0)
    verdict = {false, 0, "", "nothing was compared: the file has no out.* or grad.*"};
  for (const auto& [name, tensor] : run.results())
    if (verdict.passed && !run.given().has(name) && name.starts_with("grad."))
      verdict = {false, verdict.worst, name, "was computed, but is not in the file"};
  return verdict;
}

}  // namespace dml::golden
