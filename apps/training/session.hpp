#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/dataset.hpp"
#include "data/loader.hpp"
#include "dml/groups.hpp"
#include "dml/training/embed.hpp"
#include "dml/training/measure.hpp"
#include "dml/training/trainer.hpp"
#include "engine/config.hpp"

namespace dml {

/// The images of a run.
struct RunData {
  std::vector<Item> train;
  std::vector<Item> evaluation;  ///< what epochs are measured on: test or validation classes
  std::vector<Item> test;
  Split evaluation_split = Split::test;
  std::int64_t classes = 0;   ///< of `train`; their labels are 0 .. classes - 1
  std::int64_t left_out = 0;  ///< images that cannot be read (on_bad_image = skip)
  std::string fingerprint;
  std::string place;       ///< the folder and how it was understood, in words
  bool published = false;  ///< the test classes are those that published figures are of
  bool synthetic = false;  ///< labels of the published sizes without images (dry runs only)
};

/// The embeddings of some images, and what was measured on them.
struct Measured {
  RetrievalSet set;
  Measurement result;
};

/// How a session is made.
struct SessionOptions {
  std::function<void(const Event&)> notice;  ///< is told what takes long or should be known
  bool allow_synthetic = false;       ///< where the data are missing, labels of their sizes will do
  std::optional<Metadata> resumed{};  ///< of the checkpoint that the run goes on from
  std::function<bool()> keep_going{};  ///< asked while images are checked; false: Interrupted
};

/// Everything that a training works with, made from its configuration. Making it reads the list of
/// images, but no image.
class Session {
 public:
  /// @throws UsageError when the batches cannot serve the loss, DataError for missing data.
  Session(const Config& config, Device device, SessionOptions options);

  /// What runs, in a few lines.
  std::vector<std::string> plan() const;
  /// What every checkpoint says of itself.
  Metadata metadata() const;
  /// What a try gave.
  struct Tried {
    double loss = 0;
    std::int64_t images = 0;  ///< that were tried, fewer than `batch` on a processor
    std::int64_t batch = 0;
  };
  /// One forward and backward pass of random images through everything.
  Tried try_step();

  /// The parts that a trainer works with. `evaluate` measures data().evaluation.
  TrainerParts parts(Events& events, const std::function<bool()>& keep_going);
  TrainerOptions trainer_options() const;
  /// The figures of a set of images with the weights as they are.
  /// @param neighbours  so many of every query are kept.
  Measured measure(const std::vector<Item>& items, const std::function<bool()>& keep_going,
                   std::int64_t neighbours = 0);

  const Config& config() const { return config_; }
  const RunData& data() const { return data_; }
  ParameterStore& store() { return store_; }
  Device& device() { return device_; }
  /// Where the weights began: "random" or "sha256 ..." of a file.
  const std::string& source() const { return source_; }

 private:
  void read_data();
  void make_up_labels();
  void build();
  void build_optimizer();
  void require_batches() const;
  void load_weights_file();
  void take_over(const Metadata& metadata);
  Embedder embedder();
  Loader make_loader(std::vector<Item> items, const Pipeline& pipeline) const;
  std::int64_t epochs_hint() const;

  Config config_;
  Device device_;
  SessionOptions options_;
  RunData data_;
  ParameterStore store_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<ParameterGroups> groups_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Augment> augment_;
  std::unique_ptr<Loader> train_loader_;
  Preprocessing preprocessing_;
  std::string source_ = "random";
};

}  // namespace dml
