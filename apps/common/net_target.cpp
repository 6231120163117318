#include "apps/common/net_target.hpp"

#include <algorithm>

namespace dml {
namespace {

/// The part of the net that a tensor belongs to: the longest stage whose name begins the tensor's,
/// else its first component.
std::string stage_of(const std::string& name, const std::vector<Stage>& stages) {
  std::string best;
  for (const Stage& stage : stages) {
    const std::size_t size = stage.name.size();
    const bool begins = name.rfind(stage.name, 0) == 0 && size < name.size() &&
                        (name[size] == '.' || name[size] == '_');
    if (begins && size > best.size()) best = stage.name;
  }
  return best.empty() ? name.substr(0, name.find('.')) : best;
}

/// Layers that the heads of published systems add: the embedding, its reduction, the neck.
std::vector<weights::WantedTensor> head_tensors() {
  std::vector<weights::WantedTensor> wanted;
  for (const char* layer : {"embedding", "red"}) {
    wanted.push_back({std::string(layer) + ".weight", {-1, -1}});
    wanted.push_back({std::string(layer) + ".bias", {-1}});
  }
  for (const char* part : {"weight", "bias", "running_mean", "running_var"})
    wanted.push_back({std::string("bottleneck.") + part, {-1}});
  wanted.push_back({"bottleneck.num_batches_tracked", {}});
  return wanted;
}

}  // namespace

NetDescription describe_net(const std::string& name, std::int64_t classes) {
  const Device host(Backend::reference);
  ParameterStore store(host);
  store.outline_only();
  const auto net = Registry<Net>::make(name, {}, {Scope(store)});
  NetDescription result;
  result.preprocessing = net->preprocessing();
  result.target.name = Registry<Net>::find(name).about.name;
  result.target.classifier = net->classifier_name();
  result.target.width = net->width();
  result.target.classes = classes;
  for (const Parameter& one : store.all())
    result.target.tensors.push_back(
        {one.name, one.file_shape(), stage_of(one.name, net->stages())});
  result.target.optional = head_tensors();
  return result;
}

}  // namespace dml
