#include "dml/training/distances.hpp"

#include <algorithm>
#include <map>

#include "ops/matmul.hpp"

namespace dml {
namespace {

constexpr std::size_t bins = 64;
constexpr double widest = 2;  // 1 - cosine of opposite rows

/// Rows of whole classes, evenly spread over the classes.
std::vector<std::int64_t> chosen_rows(const std::vector<std::int64_t>& labels, std::int64_t most) {
  std::map<std::int64_t, std::vector<std::int64_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i)
    by_class[labels[i]].push_back(static_cast<std::int64_t>(i));
  const auto every = std::max<std::int64_t>(1, (std::ssize(labels) + most - 1) / most);
  std::vector<std::int64_t> rows;
  std::int64_t number = 0;
  for (const auto& [label, of_class] : by_class)
    if (number++ % every == 0)
      for (const std::int64_t row : of_class)
        if (std::ssize(rows) < most) rows.push_back(row);
  return rows;
}

Histogram empty_histogram(std::string name) {
  Histogram result;
  result.name = std::move(name);
  for (std::size_t i = 1; i <= bins; ++i)
    result.limits.push_back(widest * static_cast<double>(i) / static_cast<double>(bins));
  result.counts.assign(bins, 0);
  return result;
}

}  // namespace

std::vector<Histogram> distance_histograms(Device& device, const RetrievalSet& set,
                                           std::int64_t most_rows) {
  const std::vector<std::int64_t> rows = chosen_rows(set.labels, most_rows);
  const auto count = std::ssize(rows);
  const Tensor all = unit_rows(set.embeddings);
  Tensor units = Tensor::empty({count, all.dim(1)}, all.dtype());
  visit_float(all.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < count; ++i)
      std::copy_n(all.raw<T>() + rows[static_cast<std::size_t>(i)] * all.dim(1), all.dim(1),
                  units.raw<T>() + i * all.dim(1));
  });
  const Tensor there = device.upload(units);
  Tensor product = device.empty({count, count}, units.dtype());
  kernel::matmul(device, there, there, {.b = true}, 1, 0, product);
  const Tensor cosine = product.to_host().dense();
  std::vector<Histogram> both = {empty_histogram("distance_positive"),
                                 empty_histogram("distance_negative")};
  visit_float(cosine.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t j = i + 1; j < count; ++j) {
        const bool same = set.labels[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])] ==
                          set.labels[static_cast<std::size_t>(rows[static_cast<std::size_t>(j)])];
        const double value = 1 - static_cast<double>(cosine.raw<T>()[i * count + j]);
        both[same ? 0 : 1].add(std::clamp(value, 0.0, widest));
      }
  });
  std::erase_if(both, [](const Histogram& one) { return one.count == 0; });
  return both;
}

}  // namespace dml
