#include <memory>
#include <vector>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// A weighted sum of losses, each with its own miner.
class SumOfLosses final : public Loss {
 public:
  struct Options {
    Nested term1{"multi_similarity"}, term2{}, term3{}, term4{}, term5{}, term6{};
    double weight1 = 1, weight2 = 1, weight3 = 1, weight4 = 1, weight5 = 1, weight6 = 1;
    static constexpr const char* help = "a loss; its options, a miner among them, follow its name";
    static constexpr Range weights{-1e6, 1e6};
    static constexpr std::tuple fields{
        nested<Loss>("term1", &Options::term1, help),
        field("weight1", &Options::weight1, "weight of term1", weights),
        nested<Loss>("term2", &Options::term2, help),
        field("weight2", &Options::weight2, "weight of term2", weights),
        nested<Loss>("term3", &Options::term3, help),
        field("weight3", &Options::weight3, "weight of term3", weights),
        nested<Loss>("term4", &Options::term4, help),
        field("weight4", &Options::weight4, "weight of term4", weights),
        nested<Loss>("term5", &Options::term5, help),
        field("weight5", &Options::weight5, "weight of term5", weights),
        nested<Loss>("term6", &Options::term6, help),
        field("weight6", &Options::weight6, "weight of term6", weights),
    };
  };

  SumOfLosses(const Options& o, const Setup& setup) {
    add("term1", o.term1, o.weight1, setup);
    add("term2", o.term2, o.weight2, setup);
    add("term3", o.term3, o.weight3, setup);
    add("term4", o.term4, o.weight4, setup);
    add("term5", o.term5, o.weight5, setup);
    add("term6", o.term6, o.weight6, setup);
    if (terms_.empty())
      throw UsageError("has no terms\n  term1=tuplet_margin term2=intra_pair_variance weight2=0.5");
  }

  Var operator()(const Batch& batch) override {
    std::vector<Var> values;
    for (Term& term : terms_) {
      Batch own = batch;
      own.random = batch.random.split(values.size());
      const Var value = term.weight * (*term.loss)(own);
      note(term.name, value);
      values.push_back(value);
    }
    return total_of(values);
  }

  Requirements requirements() const override {
    Requirements all{.pairs = true};
    for (const Term& term : terms_) {
      const Requirements own = term.loss->requirements();
      all = {.images_per_class = std::max(all.images_per_class, own.images_per_class),
             .classes = std::max(all.classes, own.classes),
             .training_set = all.training_set || own.training_set,
             .pairs = all.pairs && own.pairs,
             .one_part = all.one_part || own.one_part};
    }
    return all;
  }
  void before_epoch(EpochView& view) override {
    for (Term& term : terms_) term.loss->before_epoch(view);
  }
  /// Of the first term that has class vectors.
  Var logits(const Var& embedding) override {
    for (Term& term : terms_)
      if (const Var scores = term.loss->logits(embedding); scores.defined()) return scores;
    return {};
  }
  /// As the first term wants it.
  Var embed(const Var& embedding) override { return terms_.front().loss->embed(embedding); }
  Tensor embed_set(Device& device, const Tensor& embeddings, std::span<const std::int64_t> queries,
                   std::span<const std::int64_t> gallery) override {
    return terms_.front().loss->embed_set(device, embeddings, queries, gallery);
  }

 private:
  struct Term {
    std::string name;
    double weight;
    std::unique_ptr<Loss> loss;
  };

  void add(const std::string& name, const Nested& choice, double weight, const Setup& setup) {
    if (choice.name.empty()) return;
    Setup own = setup;
    own.scope = setup.scope / name;
    terms_.push_back({name + "." + choice.name, weight, make_nested<Loss>(choice, own)});
  }

  std::vector<Term> terms_;
};

const Register<Loss, SumOfLosses> sum_loss{{
    .name = "sum",
    .summary = "weighted sum of up to six losses, each with a miner of its own",
    .details = "term1=multi_similarity term1.miner=multi_similarity is that paper's recipe; "
               "term1=tuplet_margin term2=intra_pair_variance weight2=0.5 that of the tuplet "
               "margin paper. Use it to train with several losses at once, each with its weight.",
    .aliases = {"multiple_losses"},
}};

}  // namespace
}  // namespace dml
