#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "ops/maximum.hpp"
#include "ops/permute.hpp"
#include "ops/slice.hpp"
#include "ops/where.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

int axis(const Run& run) { return static_cast<int>(run.given().integer("dim")); }

Tensor mask(const Run& run) { return run.tensor("in.mask").to(DType::u8); }

const AddGolden gather_case{
    "ops", "gather",
    [](Run& run) { run.output("y", gather(run.variable("x"), axis(run), run.tensor("in.idx"))); }};

const AddGolden scatter_add_case{"ops", "scatter_add", [](Run& run) {
                                   run.output(
                                       "y", scatter_add(run.variable("x"), axis(run),
                                                        run.tensor("in.idx"), run.variable("src")));
                                 }};

const AddGolden index_select_case{
    "ops", "index_select", [](Run& run) {
      run.output("y", index_select(run.variable("x"), axis(run), run.tensor("in.idx")));
    }};

const AddGolden index_add_case{
    "ops", "index_add", [](Run& run) {
      run.output(
          "y", index_add(run.variable("x"), axis(run), run.tensor("in.idx"), run.variable("src")));
    }};

const AddGolden boolean_select_case{"ops", "boolean_select", [](Run& run) {
                                      run.output("y", boolean_select(run.variable("x"), mask(run)));
                                    }};

const AddGolden masked_fill_case{
    "ops", "masked_fill", [](Run& run) {
      run.output("y", masked_fill(run.variable("x"), mask(run), run.given().number("value")));
    }};

const AddGolden where_maximum{"ops", "where_maximum", [](Run& run) {
                                const Var a = run.variable("a"), b = run.variable("b");
                                Tensor positive({a.value().shape()}, DType::u8);
                                const Tensor values = run.tensor("in.a").to(DType::f64);
                                for (std::int64_t i = 0; i < values.size(); ++i)
                                  positive.raw<std::uint8_t>()[i] =
                                      values.raw<double>()[i] > 0 ? 1 : 0;
                                run.output("max", maximum(a, b));
                                run.output("where", where(positive, a, b));
                              }};

/// The mask is given: what is left of dropout is the product.
const AddGolden dropout_case{"ops", "dropout", [](Run& run) {
                               const double kept = 1 - run.given().number("p");
                               run.output("y", run.variable("x") * (run.constant("mask") / kept));
                             }};

const AddGolden concat_case{"ops", "concat", [](Run& run) {
                              std::vector<Var> parts;
                              for (const std::string& name : run.given().names("in."))
                                if (!name.starts_with("in.gout."))
                                  parts.push_back(run.variable(name.substr(3)));
                              run.output("y", concat(parts, axis(run)));
                            }};

/// "1:", "::2", "0:4:2" as in Python.
Var sliced(const Var& x, int along, const std::string& text) {
  std::vector<std::int64_t> parts{0, x.dim(along), 1};
  std::size_t at = 0, from = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != ':') continue;
    if (i > from) parts.at(at) = std::stoll(text.substr(from, i - from));
    ++at;
    from = i + 1;
  }
  return slice(x, along, parts[0], parts[1], parts[2]);
}

const AddGolden slice_case{"ops", "slice", [](Run& run) {
                             const Var rows =
                                 sliced(run.variable("x"), 0, run.given().text("rows"));
                             run.output("y", sliced(rows, 1, run.given().text("cols")));
                           }};

const AddGolden permute_case{"ops", "transpose_permute", [](Run& run) {
                               const Var x = run.variable("x");
                               std::vector<int> order;
                               for (const std::int64_t i : run.given().integers("p"))
                                 order.push_back(static_cast<int>(i));
                               run.output("t", transpose(x));
                               run.output("p", permute(x, order));
                             }};

}  // namespace
}  // namespace dml::golden
