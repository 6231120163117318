#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "dml/loss.hpp"
#include "dml/training/checkpoint.hpp"
#include "engine/preprocessing.hpp"
#include "nets/model.hpp"

namespace dml {

/// A model with its parameters, and what a file of weights says of it.
struct LoadedModel {
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<Model> model;
  /// What the model was trained with, which may have a part in retrieval; null where the file does
  /// not say it or holds nothing of it that is learnt.
  std::unique_ptr<Loss> loss;
  std::string net;
  Preprocessing preprocessing;
  WeightReport report;
  Metadata metadata;  ///< of the file

  /// What retrieval compares, from images on an inference tape.
  Var embed(const Var& images) const {
    const Var embedding = (*model)(images).embedding;
    return loss ? loss->embed(embedding) : embedding;
  }
};

/// The options of a component as they stand in the metadata of checkpoints, and back.
std::string settings_to_json(const Settings& settings);
/// @throws FormatError when the text is no object of texts.
Settings settings_from_json(const std::string& text);

/// The preprocessing that a file asks for, or that of the net when it asks for none.
Preprocessing preprocessing_of(const Metadata& metadata, const Net& net);

/// Builds the model that a checkpoint or a file of converted weights holds, and loads it.
/// @param net  the name of the net; may be empty when the file says it.
/// @throws UsageError when no net is known or the file says another one, FormatError (with the
/// list)
///   when tensors do not fit.
LoadedModel load_model(Device& device, const std::filesystem::path& file, const std::string& net);
/// The same from what was read already.
/// @param name  of the file, for errors.
LoadedModel load_model(Device& device, const SafeTensors& contents, const std::string& name,
                       const std::string& net);

/// The weights that a training starts from, for a model that is built already. Classifiers of
/// another number of classes are kept out; everything that the file lacks keeps its first value.
/// @param classifier  the net's own name of its classifier in files: "fc"
/// @throws FormatError when the file is of another net or tensors do not fit.
WeightReport start_from(const SafeTensors& file, ParameterStore& store, const std::string& name,
                        const std::string& net, const std::string& classifier);

}  // namespace dml
