#include "dml/losses/dynamic_soft_margin.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dml/losses/triplets.hpp"
#include "dml/pairs/pick.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"
#include "ops/max_axis.hpp"
#include "ops/maximum.hpp"
#include "ops/permute.hpp"
#include "ops/reshape.hpp"
#include "ops/where.hpp"

namespace dml {
namespace {

/// The loss on a matrix of distances (product form) or on a list of values.
struct SoftMarginOp {
  kernel::SoftMargin in;
  Tensor histogram;
  Tensor x{}, slopes{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& values) {
    x = device.dense(values);
    const bool rows = x.rank() == 2;
    in.partial = device.zeros({rows ? x.dim(0) : 1, in.of.columns()}, DType::f64);
    if (rows) {
      kernel::soft_margin_rows(device, x, in);
    } else {
      kernel::soft_margin_list(device, x, in);
    }
    Tensor loss = device.empty({}, x.dtype());
    slopes = device.empty({in.of.bins}, x.dtype());
    kernel::soft_margin_tables(device, in, histogram, loss, slopes);
    return loss;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    if (x.rank() == 2) {
      kernel::soft_margin_rows_bwd(device, x, in, slopes, dy, dx);
    } else {
      kernel::soft_margin_list_bwd(device, x, in, slopes, dy, dx);
    }
    return {dx};
  }
};

/// Adds a value to a row of partial sums.
void take(const SoftMarginBins& of, double value, double weight, double* row) {
  const SoftMarginBins::Place at = of.place(value);
  row[at.first] += weight * (1 - at.part);
  row[at.first + 1] += weight * at.part;
  row[of.bins + at.first] += weight * value;
  row[2 * of.bins] += weight;
}

/// About what each_triplet reads: the row once for each of its positives, which are a few.
std::int64_t row_work(const Tensor& matrix) { return 4 * matrix.dim(1); }

/// Calls visit(p, k, weight, value) for all triplets of row i.
template <class T, class Visit>
void each_triplet(const Tensor& matrix, const kernel::SoftMargin& in, std::int64_t i,
                  const Visit& visit) {
  const Row<T> row = pairs::row_of<T>(matrix, in.rows, i, nullptr);
  for (std::int64_t p = 0; p < row.size; ++p) {
    if (!(row.relation[p] > 0)) continue;
    for (std::int64_t k = 0; k < row.size; ++k) {
      if (!(row.relation[k] < 0) || !row.keeps(p, k, in.range)) continue;
      const double weight =
          static_cast<double>(row.relation[p]) * static_cast<double>(-row.relation[k]);
      visit(p, k, weight, in.of.sign * static_cast<double>(row.values[p] - row.values[k]));
    }
  }
}

void sum_rows(Device& device, const Tensor& matrix, const kernel::SoftMargin& in) {
  all_lines(device, matrix.dtype(), matrix.dim(0), row_work(matrix),
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) {
                double* row = in.partial.raw<double>() + i * in.of.columns();
                each_triplet<T>(matrix, in, i,
                                [&](std::int64_t, std::int64_t, double weight, double value) {
                                  take(in.of, value, weight, row);
                                });
              }
            });
}

/// Serial: one histogram of all values.
void sum_list(Device&, const Tensor& values, const kernel::SoftMargin& in) {
  visit_float(values.dtype(), [&]<class T>() {
    for (std::int64_t t = 0; t < values.size(); ++t) {
      const T weight = in.weights.defined() ? in.weights.raw<T>()[t] : T(1);
      if (weight != T(0))
        take(in.of, static_cast<double>(values.raw<T>()[t]), static_cast<double>(weight),
             in.partial.raw<double>());
    }
  });
}

/// The columns are added up in parallel; the tables are running sums.
void make_tables(Device& device, const kernel::SoftMargin& in, Tensor& histogram, Tensor& loss,
                 Tensor& slopes) {
  const std::int64_t columns = in.of.columns(), rows = in.partial.dim(0);
  const double* partial = in.partial.raw<double>();
  std::vector<double> sums(static_cast<std::size_t>(columns), 0);
  all_lines(device, histogram.dtype(), columns, rows,
            [&]<class>(std::int64_t first, std::int64_t last) {
              for (std::int64_t i = 0; i < rows; ++i)
                for (std::int64_t c = first; c < last; ++c)
                  sums[static_cast<std::size_t>(c)] += partial[i * columns + c];
            });
  std::vector<double> scratch(static_cast<std::size_t>(in.of.bins));
  visit_float(histogram.dtype(), [&]<class T>() {
    soft_margin_tables_of(SoftMarginStep{in.of, in.momentum, in.detach, in.update}, sums.data(),
                          sums.data() + in.of.bins, sums.back(), scratch.data(), histogram.raw<T>(),
                          loss.raw<T>(), slopes.raw<T>());
  });
}

void differentiate_rows(Device& device, const Tensor& matrix, const kernel::SoftMargin& in,
                        const Tensor& slopes, const Tensor& dy, Tensor& dmatrix) {
  all_lines(device, matrix.dtype(), matrix.dim(0), row_work(matrix),
            [&]<class T>(std::int64_t first, std::int64_t last) {
              const T up = *dy.raw<T>() * static_cast<T>(in.of.sign);
              for (std::int64_t i = first; i < last; ++i) {
                T* row = dmatrix.raw<T>() + i * matrix.dim(1);
                std::fill_n(row, matrix.dim(1), T(0));
                each_triplet<T>(matrix, in, i,
                                [&](std::int64_t p, std::int64_t k, double weight, double value) {
                                  const T g = up * static_cast<T>(weight) *
                                              slopes.raw<T>()[in.of.place(value).first];
                                  row[p] += g;
                                  row[k] -= g;
                                });
              }
            });
}

void differentiate_list(Device& device, const Tensor& values, const kernel::SoftMargin& in,
                        const Tensor& slopes, const Tensor& dy, Tensor& dvalues) {
  all_lines(device, values.dtype(), values.size(), 3,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t t = first; t < last; ++t) {
                const T weight = in.weights.defined() ? in.weights.raw<T>()[t] : T(1);
                const double value = static_cast<double>(values.raw<T>()[t]);
                dvalues.raw<T>()[t] =
                    *dy.raw<T>() * weight * slopes.raw<T>()[in.of.place(value).first];
              }
            });
}

/// cdf(v) v over triplets, v = d_ap - d_an: a margin that follows the distribution of v.
class DynamicSoftMargin final : public TripletLoss {
 public:
  struct Options : TripletOptions {
    Options() : TripletOptions({"lp"}, "mean") {}
    double min_val = -2;
    std::int64_t num_bins = 10;
    double momentum = 0.01;
    bool detach_histogram = true;
    bool paired = false;
    static constexpr auto fields = with(
        field("min_val", &Options::min_val, "lower end of the histogram; minus the upper end",
              {-1e6, -1e-6}),
        field("num_bins", &Options::num_bins, "bins of the histogram (authors' code: 512)",
              {2, 100000}),
        field("momentum", &Options::momentum, "share of the batch in the histogram", {0, 1}),
        field("detach_histogram", &Options::detach_histogram,
              "no gradient through the histogram, as in the paper"),
        field("paired", &Options::paired,
              "row i of the reference set is the positive of row i; labels are not looked at"));
  };

  DynamicSoftMargin(const Options& options, const Setup& setup)
      : TripletLoss(options),
        options_(options),
        histogram_(setup.scope.buffer("histogram", {options.num_bins}, init::zeros())) {
    const DistanceOptions& of = distance().options();
    if (distance().similarity() || of.p != 2 || !of.normalize)
      throw UsageError("is defined for lp with p = 2 of normalised embeddings alone");
  }

 protected:
  Var compute(const Batch& batch) override {
    kernel::SoftMargin in;
    in.of = {.sign = distance().sign(),
             .low = options_.min_val,
             .width = 2 * std::abs(options_.min_val) / static_cast<double>(options_.num_bins),
             .bins = options_.num_bins};
    in.momentum = options_.momentum;
    in.detach = options_.detach_histogram;
    in.update = batch.embedding.training();
    const Var d = matrix(batch);
    Var loss;
    if (options_.paired) {
      loss = apply(SoftMarginOp{in, histogram_.value}, pair_values(d));
    } else if (const Tuples tuples = triplets(batch); tuples.form == Tuples::Form::triplets) {
      const Listed at = listed(d, tuples);
      in.weights = at.weights;
      loss = apply(SoftMarginOp{in, histogram_.value},
                   distance().sign() * (at.positive - at.negative));
    } else {
      in.rows.relation = tuples.relation;
      in.rows.filter = tuples.filter;
      in.range = tuples.filter.range;
      loss = apply(SoftMarginOp{in, histogram_.value}, d);
    }
    note("loss", loss);
    return loss;
  }

 private:
  /// d_ii less the smallest entry of row i and column i off the diagonal.   [n, n] -> [n]
  static Var pair_values(const Var& d) {
    const std::int64_t n = d.dim(0);
    DML_CHECK(d.dim(1) == n && n > 1,
              "dynamic_soft_margin: pairs need as many rows in the reference set as in the batch, "
              "and at least 2; found " +
                  to_string(d.shape()));
    Tensor diagonal({n, n}, DType::u8);
    Tuples own;
    own.anchor = Tensor::empty({n}, DType::i64);
    for (std::int64_t i = 0; i < n; ++i) {
      diagonal.raw<std::uint8_t>()[i * n + i] = 1;
      own.anchor.raw<std::int64_t>()[i] = i;
    }
    own.anchor = own.positive = d.device().upload(own.anchor);
    const Var far = masked_fill(-d, d.device().upload(diagonal), -1e30);
    const Var nearest = maximum(max(far, 1).values, max(transpose(far), 1).values);
    return pick(d, own, &Tuples::anchor, &Tuples::positive) + nearest;
  }

  Options options_;
  Parameter& histogram_;
};

const bool dynamic_soft_margin_added =
    kernel::soft_margin_rows.add(Backend::reference, sum_rows) &&
    kernel::soft_margin_rows.add(Backend::cpu, sum_rows) &&
    kernel::soft_margin_list.add(Backend::reference, sum_list) &&
    kernel::soft_margin_list.add(Backend::cpu, sum_list) &&
    kernel::soft_margin_tables.add(Backend::reference, make_tables) &&
    kernel::soft_margin_tables.add(Backend::cpu, make_tables) &&
    kernel::soft_margin_rows_bwd.add(Backend::reference, differentiate_rows) &&
    kernel::soft_margin_rows_bwd.add(Backend::cpu, differentiate_rows) &&
    kernel::soft_margin_list_bwd.add(Backend::reference, differentiate_list) &&
    kernel::soft_margin_list_bwd.add(Backend::cpu, differentiate_list);

const Register<Loss, DynamicSoftMargin> dynamic_soft_margin_loss{{
    .name = "dynamic_soft_margin",
    .summary = "triplets weighted by how many others they are worse than",
    .paper = "Zhang & Rusinkiewicz, Learning Local Descriptors With a CDF-Based Dynamic Soft "
             "Margin, ICCV 2019",
    .details = "the histogram is in the checkpoint; the loss can be negative, and its mean is its "
               "own: the reducer is not used. Cost: one look-up for each triplet, n^2 memory. Use "
               "it for local descriptors and other triplets when no margin is to be chosen: it "
               "follows the batch's own distribution.",
}};

}  // namespace
}  // namespace dml
