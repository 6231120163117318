#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/parameter.hpp"

namespace dml {

/// What batch norm does on training tapes. At inference it always uses the running statistics.
enum class BatchNormMode : std::uint8_t {
  live,               ///< batch statistics; the running ones move; weight and bias train
  frozen_statistics,  ///< running statistics are used and kept; weight and bias train
  frozen,             ///< the same, and weight and bias are kept as well
};

/// "live", "frozen_statistics" or "frozen". @throws UsageError for other words.
BatchNormMode batch_norm_mode(const std::string& name);
const char* name_of(BatchNormMode mode);

/// What all batch norms of a net share.
class NormState {
 public:
  BatchNormMode mode() const { return mode_; }
  bool batch_statistics() const { return mode_ == BatchNormMode::live; }
  /// Sets the mode, and whether the weights and biases are trainable.
  void set(BatchNormMode mode);
  /// Called by every batch norm for its weight and bias.
  void add(Parameter& parameter) { parameters_.push_back(&parameter); }

  /// Not 0 while someone promises that weights stay as they are; another number every time.
  std::uint64_t held() const { return holders_ > 0 ? ticket_ : 0; }

 private:
  friend class WeightHold;
  BatchNormMode mode_ = BatchNormMode::live;
  std::vector<Parameter*> parameters_;
  std::uint64_t ticket_ = 0;
  int holders_ = 0;
};

/// While one lives, the weights of the net are promised not to change.
class WeightHold {
 public:
  explicit WeightHold(std::shared_ptr<NormState> state) : state_(std::move(state)) {
    if (state_->holders_++ == 0) ++state_->ticket_;
  }
  WeightHold(WeightHold&&) noexcept = default;
  WeightHold& operator=(WeightHold&&) = delete;
  ~WeightHold() {
    if (state_) --state_->holders_;
  }

 private:
  std::shared_ptr<NormState> state_;
};

}  // namespace dml
