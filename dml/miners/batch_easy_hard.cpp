#include <charconv>

#include "dml/miner.hpp"
#include "dml/miners/row_rules.hpp"

namespace dml {
namespace {

using Strategy = EasyHardRule::Strategy;

Strategy strategy_of(const std::string& name) {
  if (name == "semihard") return Strategy::semihard;
  if (name == "easy") return Strategy::easy;
  return name == "all" ? Strategy::all : Strategy::hard;
}

/// "0.3,1.2", brackets and spaces as one likes; no text is no limit.
EasyHardRule::Side side_of(const std::string& strategy, const std::string& range,
                           const std::string& option) {
  EasyHardRule::Side side{.strategy = strategy_of(strategy)};
  std::string text;
  for (const char c : range)
    if (c != ' ' && c != '(' && c != ')' && c != '[' && c != ']') text += c;
  if (text.empty() || text == "none" || text == "None") return side;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, side.low);
  const bool comma = first.ec == std::errc() && first.ptr != end && *first.ptr == ',';
  const auto second = std::from_chars(comma ? first.ptr + 1 : end, end, side.high);
  if (second.ec != std::errc() || second.ptr != end || side.low > side.high)
    throw UsageError(option + ": '" + range + "' is no range\n  such as 0.3,1.2");
  return side;
}

/// The hardest or easiest positive and negative of every anchor.
class BatchEasyHardMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    std::string pos_strategy = "easy";
    std::string neg_strategy = "semihard";
    std::string allowed_pos_range{};
    std::string allowed_neg_range{};
    static constexpr auto fields =
        with(field("pos_strategy", &Options::pos_strategy,
                   "hard: the furthest; easy: the nearest; semihard: the furthest nearer than the "
                   "chosen negative; all",
                   "hard|semihard|easy|all"),
             field("neg_strategy", &Options::neg_strategy,
                   "hard: the nearest; easy: the furthest; semihard: the nearest further than the "
                   "chosen positive; all",
                   "hard|semihard|easy|all"),
             field("allowed_pos_range", &Options::allowed_pos_range,
                   "closed range of distances, as 0.3,1.2, in which positives are chosen; `all` "
                   "ignores it"),
             field("allowed_neg_range", &Options::allowed_neg_range, "the same for negatives"));
  };

  BatchEasyHardMiner(const Options& options, const Setup&)
      : MatrixMiner(options),
        rule_{.sign = distance().sign(),
              .positive =
                  side_of(options.pos_strategy, options.allowed_pos_range, "allowed_pos_range"),
              .negative =
                  side_of(options.neg_strategy, options.allowed_neg_range, "allowed_neg_range")} {
    const Strategy p = rule_.positive.strategy, n = rule_.negative.strategy;
    const auto needs_one = [](Strategy a, Strategy b) {
      return a == Strategy::semihard && (b == Strategy::semihard || b == Strategy::all);
    };
    if (needs_one(p, n) || needs_one(n, p))
      throw UsageError("pos_strategy " + options.pos_strategy + " with neg_strategy " +
                       options.neg_strategy +
                       "\n  semihard is relative to one pair of the other side: hard or easy");
  }

  Tuples operator()(Device& device, const Batch& batch) const override {
    Tuples tuples;
    tuples.relation = mine_rows(device, rule_, matrix(device, batch), relation(device, batch));
    return tuples;
  }

 private:
  EasyHardRule rule_;
};

/// One triplet of every anchor: its furthest positive and its nearest negative.
class BatchHardMiner final : public MatrixMiner {
 public:
  using Options = MatrixMinerOptions;
  BatchHardMiner(const Options& options, const Setup&)
      : MatrixMiner(options), rule_{.sign = distance().sign()} {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    Tuples tuples;
    tuples.form = Tuples::Form::product;  // of one positive and one negative
    tuples.relation = mine_rows(device, rule_, matrix(device, batch), relation(device, batch));
    return tuples;
  }

 private:
  EasyHardRule rule_;
};

const bool batch_easy_hard_added = add_row_miner<EasyHardRule>();

const Register<Miner, BatchEasyHardMiner> easy_hard{{
    .name = "batch_easy_hard",
    .summary = "the hardest, semihard or easiest positive and negative of every anchor",
    .paper = "Xuan et al., Improved Embeddings with Easy Positive Triplet Mining, WACV 2020",
    .details = "unless a side is `all`, anchors that lack a side give nothing. Cost: n^2.",
}};

const Register<Miner, BatchHardMiner> hard{{
    .name = "batch_hard",
    .summary = "the furthest positive and the nearest negative of every anchor that has both",
    .paper = "Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017",
    .details = "Cost: n^2.",
}};

}  // namespace
}  // namespace dml
