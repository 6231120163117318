#include <algorithm>
#include <limits>

#include "dml/miner.hpp"

namespace dml {
namespace {

/// Triplets by m(d_an, d_ap). They are not listed: the loss compares the distances itself.
class TripletMarginMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    double margin = 0.2;
    std::string type_of_triplets = "all";
    static constexpr auto fields = with(
        field("margin", &Options::margin, "how much further the negative has to be", {-1e6, 1e6}),
        field("type_of_triplets", &Options::type_of_triplets,
              "with t how much further the negative is: all t <= margin, hard t <= 0, "
              "semihard 0 < t <= margin, easy t > margin",
              "all|hard|semihard|easy"));
  };

  TripletMarginMiner(const Options& options, const Setup&) : MatrixMiner(options) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::string& type = options.type_of_triplets;
    range_ = {.sign = distance().sign(), .low = -infinity, .high = options.margin};
    if (type == "hard") range_.high = std::min(0.0, options.margin);
    if (type == "semihard") range_.low = 0;
    if (type == "easy") range_ = {range_.sign, options.margin, infinity};
  }

  Tuples operator()(Device& device, const Batch& batch) const override {
    Tuples tuples;
    tuples.form = Tuples::Form::product;
    tuples.relation = relation(device, batch);
    tuples.filter = {matrix(device, batch), range_};
    return tuples;
  }

 private:
  TripletRange range_;
};

const Register<Miner, TripletMarginMiner> triplet_margin_miner{{
    .name = "triplet_margin",
    .summary = "triplets that violate a margin, or hard, semihard or easy ones",
    .paper = "Schroff et al., FaceNet, CVPR 2015 (semihard)",
    .details = "no triplet is listed. Cost: n^2 here, one comparison for each triplet in the loss.",
}};

}  // namespace
}  // namespace dml
