#include "ops/categorical.hpp"

#include <algorithm>

#include "ops/lines.hpp"

namespace dml {
namespace {

void draw(Device& device, const Tensor& weight, const Random& random, Tensor& place,
          Tensor& found) {
  const CategoricalRow row{weight.dim(1)};
  const std::int64_t n = weight.dim(0);
  all_lines(device, weight.dtype(), n, row.k, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t at =
          row.draw(weight.raw<T>() + i * row.k, random.uniform(static_cast<std::uint64_t>(i)));
      place.raw<std::int64_t>()[i] = std::max<std::int64_t>(at, 0);
      found.raw<T>()[i] = at < 0 ? T(0) : T(1);
    }
  });
}

const bool categorical_added = kernel::categorical.add(Backend::reference, draw) &&
                               kernel::categorical.add(Backend::cpu, draw);

}  // namespace

Drawn categorical(Device& device, const Tensor& weight, const Random& random) {
  DML_CHECK(weight.rank() == 2 && weight.dim(1) > 0,
            "categorical: weights " + to_string(weight.shape()) + "; [n, k] are needed");
  const Tensor table = device.dense(weight);
  Drawn drawn{device.empty({table.dim(0)}, DType::i64),
              device.empty({table.dim(0)}, table.dtype())};
  kernel::categorical(device, table, random, drawn.place, drawn.found);
  return drawn;
}

}  // namespace dml
