#include "dml/training/embed.hpp"

#include <algorithm>

namespace dml {

Tensor embed_images(Device& device, const Embedder& embedder, Loader& loader, std::int64_t batch,
                    const std::function<bool()>& keep_going) {
  const auto images = static_cast<std::int64_t>(loader.items().size());
  if (images == 0) throw DataError("there are no images to embed");
  loader.start(consecutive(images, batch), 0);
  Tensor all;
  std::int64_t next = 0;
  while (const auto one = loader.next()) {
    const auto tape = Tape::infer(device, next);
    const Tensor values = device.dense(embedder(tape->input(one->images)).value()).to_host();
    if (!all.defined()) all = Tensor::empty({images, values.dim(1)}, DType::f32);
    const Tensor converted = values.to(DType::f32);
    const auto from = converted.data<float>();
    std::copy(from.begin(), from.end(),
              all.data<float>().begin() + static_cast<std::ptrdiff_t>(next * values.dim(1)));
    next += values.dim(0);
    if (keep_going && !keep_going()) throw Interrupted("interrupted while images were embedded");
  }
  return all;
}

std::vector<std::int64_t> labels_of(const Loader& loader) {
  std::vector<std::int64_t> labels;
  for (const Item& item : loader.items()) labels.push_back(item.label);
  return labels;
}

}  // namespace dml
