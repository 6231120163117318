#pragma once
#include <string>
#include <tuple>

#include "dml/loss.hpp"
#include "dml/revisiting/miners.hpp"

namespace dml::revisiting {

/// How the triplets of a batch are chosen; the part of the options that all losses on triplets
/// have.
struct MinedOptions {
  std::string miner = "distance";
  double lower_cutoff = 0.5;
  double cp = 0.2;
  std::string parametric_mode = "uniform";
  std::int64_t parametric_supports = 10;
  double parametric_low = 0.1;
  double parametric_high = 1.4;
  static constexpr std::tuple miner_fields{
      field("miner", &MinedOptions::miner, "how triplets are chosen out of the batch",
            "distance|semihard|softhard|random|rho_distance|parametric|intra_random|"
            "random_distance"),
      field("lower_cutoff", &MinedOptions::lower_cutoff,
            "distance, rho_distance: smaller distances count as this one", {0, 2}),
      field("cp", &MinedOptions::cp,
            "rho_distance: chance that two images of a class are pushed apart", {0, 1}),
      field("parametric_mode", &MinedOptions::parametric_mode,
            "parametric: which distances negatives come from", "uniform|hards|semihards|veryhards"),
      field("parametric_supports", &MinedOptions::parametric_supports,
            "parametric: points between the bins of distances", {2, 1e4}),
      field("parametric_low", &MinedOptions::parametric_low, "parametric: the first of them",
            {0, 10}),
      field("parametric_high", &MinedOptions::parametric_high, "parametric: the last of them",
            {0, 10}),
  };
  /// The fields of a loss behind those of the miner.
  template <class... Fields> static constexpr auto with(Fields... more) {
    return std::tuple_cat(miner_fields, std::tuple{more...});
  }
};

/// A loss on triplets that a miner chooses, or that the batch brings.
class MinedLoss : public Loss {
 protected:
  /// @param margin  of the loss, which semihard mining looks at.
  MinedLoss(const MinedOptions& options, double margin);
  /// The triplets of the batch: those that it brings, else mined ones.
  /// @throws ShapeError for tuples that are no list of triplets, and for a reference set.
  Triplets triplets(const Batch& batch) const;
  const MinerOptions& miner() const { return miner_; }

 private:
  MinerOptions miner_;
};

/// @throws ShapeError for a batch with a reference set: these criteria look at the batch alone.
void refuse_reference(const Loss::Batch& batch);

}  // namespace dml::revisiting
