#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "dml/reducer.hpp"
#include "dml/reducers/items.hpp"

namespace dml {
namespace {

/// Reducers without options.
struct NoOptions {
  static constexpr std::tuple<> fields{};
};

/// Mean of all values, zeros included.
class Mean : public Reducer {
 public:
  using Options = NoOptions;
  Mean(Options, const Setup&) {}
  Var operator()(const Items& items, const std::string&) const override {
    return fraction(items.totals, {}, items.counts);
  }
};

/// Sum of all values.
class Sum final : public Reducer {
 public:
  using Options = NoOptions;
  Sum(Options, const Setup&) {}
  Var operator()(const Items& items, const std::string&) const override {
    return fraction(items.totals, {}, {});
  }
};

/// Mean of the values above 0.
class AvgNonZero final : public Mean {
 public:
  using Mean::Mean;
  Bounds bounds(const std::string&) const override { return {.low = 0}; }
};

/// Mean of the values between two bounds.
class Threshold final : public Reducer {
 public:
  struct Options {
    double low = -1e300;
    double high = 1e300;
    static constexpr std::tuple fields{
        field("low", &Options::low, "values must be larger; none below -1e299"),
        field("high", &Options::high, "values must be smaller; none above 1e299"),
    };
  };
  Threshold(Options options, const Setup&) {
    if (options.low > -1e299) bounds_.low = options.low;
    if (options.high < 1e299) bounds_.high = options.high;
  }
  Bounds bounds(const std::string&) const override { return bounds_; }
  Var operator()(const Items& items, const std::string&) const override {
    return fraction(items.totals, {}, items.counts);
  }

 private:
  Bounds bounds_;
};

/// Sum over a number that the loss gives.
class Divisor final : public Reducer {
 public:
  using Options = NoOptions;
  Divisor(Options, const Setup&) {}
  Var operator()(const Items& items, const std::string& sub_loss) const override {
    if (!items.divisor.defined())
      throw UsageError("reducer 'divisor': sub-loss '" + sub_loss +
                       "' gives no divisor\n  mean, sum and avg_non_zero need none");
    return fraction(items.totals, {}, items.divisor);
  }
};

/// Mean of the values times the weight of their anchor's class.
class ClassWeighted final : public Reducer {
 public:
  struct Options {
    std::string weights;
    static constexpr std::tuple fields{
        field("weights", &Options::weights, "one for each class, with commas: 0.5,2,1.25"),
    };
  };
  ClassWeighted(Options options, const Setup&) {
    for (char& letter : options.weights)
      if (letter == ',' || letter == '[' || letter == ']') letter = ' ';
    std::istringstream words(options.weights);
    for (std::string word; words >> word;) {
      double value = 0;
      schema::assign({"weights", "number", "", "", {0, 1e12}, ""}, word, value);
      weights_.push_back(value);
    }
  }
  Var operator()(const Items& items, const std::string&) const override {
    DML_CHECK(items.labels != nullptr, "reducer 'class_weighted' needs the labels of the anchors");
    const Labels& labels = *items.labels;
    Tensor weights = Tensor::empty({labels.size()}, items.totals.dtype());
    for (std::int64_t i = 0; i < labels.size(); ++i) {
      const std::int64_t c = labels[i];
      DML_CHECK(c >= 0 && c < static_cast<std::int64_t>(weights_.size()),
                "reducer 'class_weighted': label " + std::to_string(c) + ", but " +
                    std::to_string(weights_.size()) + " weights");
      visit_float(weights.dtype(), [&]<class T>() {
        weights.raw<T>()[i] = static_cast<T>(weights_[static_cast<std::size_t>(c)]);
      });
    }
    return fraction(items.totals, items.totals.device().upload(weights), items.counts);
  }

 private:
  std::vector<double> weights_;
};

/// The mean of each anchor's values, 0 for an anchor without any; then another reducer.
class PerAnchor final : public Reducer {
 public:
  struct Options {
    Nested inner{"mean"};
    static constexpr std::tuple fields{
        nested<Reducer>("inner", &Options::inner, "reduces the means of all anchors"),
    };
  };
  PerAnchor(const Options& options, const Setup& setup)
      : inner_(make_nested<Reducer>(options.inner, setup)) {
    if (!inner_) throw UsageError("needs an inner reducer, such as mean");
  }
  Var operator()(const Items& items, const std::string& sub_loss) const override {
    return reduce(*inner_,
                  {.values = anchor_means(items.totals, items.counts),
                   .labels = items.labels,
                   .divisor = items.divisor},
                  sub_loss);
  }

 private:
  std::unique_ptr<Reducer> inner_;
};

/// A reducer for each sub-loss.
class Multiple final : public Reducer {
 public:
  struct Options {
    std::string reducers;
    Nested rest{"mean"};
    static constexpr std::tuple fields{
        field("reducers", &Options::reducers, "pos_loss=sum,neg_loss=avg_non_zero"),
        nested<Reducer>("default", &Options::rest, "reduces the sub-losses that are not named"),
    };
  };
  Multiple(const Options& options, const Setup& setup)
      : rest_(make_nested<Reducer>(options.rest, setup)) {
    if (!rest_) throw UsageError("needs a default reducer, such as mean");
    std::istringstream list(options.reducers);
    for (std::string one; std::getline(list, one, ',');) {
      const std::size_t equals = one.find('=');
      if (equals == std::string::npos || equals == 0)
        throw UsageError("reducers: '" + one + "' is not SUB_LOSS=REDUCER");
      named_[one.substr(0, equals)] = Registry<Reducer>::make(one.substr(equals + 1), {}, setup);
    }
  }
  Bounds bounds(const std::string& sub_loss) const override {
    return of(sub_loss).bounds(sub_loss);
  }
  Var operator()(const Items& items, const std::string& sub_loss) const override {
    return of(sub_loss)(items, sub_loss);
  }

 private:
  const Reducer& of(const std::string& sub_loss) const {
    const auto found = named_.find(sub_loss);
    return found == named_.end() ? *rest_ : *found->second;
  }

  std::map<std::string, std::unique_ptr<Reducer>> named_;
  std::unique_ptr<Reducer> rest_;
};

const Register<Reducer, Mean> mean_reducer{{.name = "mean", .summary = "mean of all values"}};
const Register<Reducer, Sum> sum_reducer{{.name = "sum", .summary = "sum of all values"}};
const Register<Reducer, AvgNonZero> avg_non_zero{
    {.name = "avg_non_zero", .summary = "mean of the values above 0"}};
const Register<Reducer, Threshold> threshold{
    {.name = "threshold", .summary = "mean of the values between two bounds"}};
const Register<Reducer, Divisor> divisor{
    {.name = "divisor", .summary = "sum over a number that the loss gives"}};
const Register<Reducer, ClassWeighted> class_weighted{
    {.name = "class_weighted", .summary = "mean of the values times a weight of their class"}};
const Register<Reducer, PerAnchor> per_anchor{
    {.name = "per_anchor", .summary = "mean for each anchor, then another reducer"}};
const Register<Reducer, Multiple> multiple{
    {.name = "multiple", .summary = "a reducer for each sub-loss"}};

}  // namespace
}  // namespace dml
