#include "dml/optimizers/radam.hpp"

#include <algorithm>

#include "tests/golden/optimizer_run.hpp"

namespace dml::golden {
namespace {

/// A range of the vector that is a parameter of its own, with a rate of its own.
struct Part {
  std::size_t first, last;
  double lr;
};

std::vector<Part> parts_of(const Case& given, std::size_t n) {
  if (!given.says("groups")) return {{0, n, given.number("lr")}};
  const std::vector<double> numbers = numbers_in(given.text("groups"));
  std::vector<Part> parts;
  for (std::size_t i = 0; i + 2 < numbers.size(); i += 3)
    parts.push_back({static_cast<std::size_t>(numbers[i]), static_cast<std::size_t>(numbers[i + 1]),
                     numbers[i + 2]});
  return parts;
}

/// The published code caches the step size by the number of the step, so that all groups step with
/// the rate of the first, while the decay uses each group's own rate. In the terms of our groups:
/// the rate of the first, and a weight decay scaled by the ratio of the rates.
Settings published_group(const Case& given, const Part& first, const Part& part) {
  return {{"lr", exact(first.lr)},
          {"weight_decay", exact(given.number("weight_decay") * part.lr / first.lr)}};
}

class Trajectory {
 public:
  explicit Trajectory(Run& run)
      : run_(run),
        store_(run.device(), run.type()),
        matrix_(doubles(run.tensor("in.A"))),
        target_(doubles(run.tensor("in.target"))),
        parts_(parts_of(run.given(), target_.size())) {
    std::map<std::string, Settings> groups;
    const std::vector<double> start = doubles(run.tensor("in.p0"));
    for (const Part& part : parts_) {
      const std::string name = "p" + std::to_string(part.first);
      Parameter& p =
          store_.add(name, {static_cast<std::int64_t>(part.last - part.first)}, init::zeros());
      p.group = name;
      groups[name] = published_group(run.given(), parts_.front(), part);
    }
    set(start);
    const Case& given = run.given();
    optimizer_ = Registry<Optimizer>::make("radam",
                                           {{"lr", given.text("lr")},
                                            {"beta1", given.text("beta1")},
                                            {"beta2", given.text("beta2")},
                                            {"eps", given.text("eps")},
                                            {"weight_decay", given.text("weight_decay")}},
                                           {store_, groups});
  }

  void compute() {
    const Case& given = run_.given();
    const auto steps = given.integer("steps");
    std::vector<double> skip, reload, lr_at;
    if (given.says("skip")) skip = numbers_in(given.text("skip"));
    if (given.says("reload_at")) reload = numbers_in(given.text("reload_at"));
    if (given.says("lr_at")) lr_at = numbers_in(given.text("lr_at"));
    double factor = 1;
    append(trajectory_, values());
    for (std::int64_t t = 1; t <= steps; ++t) {
      const auto now = static_cast<double>(t);
      if (reload.size() == 2 && reload[1] == now) set(row(static_cast<std::size_t>(reload[0])));
      for (std::size_t i = 0; i + 1 < lr_at.size(); i += 2)
        if (lr_at[i] == now) factor = lr_at[i + 1] / given.number("lr");
      const std::vector<double> gradient = quadratic_gradient(matrix_, target_, values());
      append(gradients_, gradient);
      store_.clear_gradients();
      if (std::find(skip.begin(), skip.end(), now) == skip.end()) set_gradient(gradient);
      optimizer_->step(run_.device(), factor);
      append(trajectory_, values());
    }
    give(steps);
  }

 private:
  void give(std::int64_t steps) {
    const double beta1 = run_.given().number("beta1"), beta2 = run_.given().number("beta2");
    std::vector<double> length, size, mean, square;
    for (std::int64_t t = 1; t <= steps; ++t) {
      const RAdamSize one = radam_size(beta1, beta2, t);
      length.push_back(one.length);
      size.push_back(one.factor * run_.given().number("lr"));
    }
    const auto state = optimizer_->state();
    for (const Parameter& p : store_.all()) {
      append(mean, doubles(state.at(p.name + ".exp_avg")));
      append(square, doubles(state.at(p.name + ".exp_avg_sq")));
    }
    run_.give("out.trajectory", matrix(trajectory_, target_.size()));
    run_.give("out.gradients", matrix(gradients_, target_.size()));
    run_.give("out.exp_avg", mean);
    run_.give("out.exp_avg_sq", square);
    run_.give("out.n_sma", length);
    run_.give("out.step_size", size);
  }

  static void append(std::vector<double>& to, const std::vector<double>& from) {
    to.insert(to.end(), from.begin(), from.end());
  }
  std::vector<double> row(std::size_t t) const {
    const auto first = trajectory_.begin() + static_cast<std::ptrdiff_t>(t * target_.size());
    return {first, first + static_cast<std::ptrdiff_t>(target_.size())};
  }
  std::vector<double> values() const {
    std::vector<double> all;
    for (const Parameter& p : store_.all()) append(all, doubles(p.value));
    return all;
  }
  std::vector<double> cut(const std::vector<double>& all, std::size_t part) const {
    return {all.begin() + static_cast<std::ptrdiff_t>(parts_[part].first),
            all.begin() + static_cast<std::ptrdiff_t>(parts_[part].last)};
  }
  void set(const std::vector<double>& all) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      store_.all()[i].value = from_doubles(run_, cut(all, i));
  }
  void set_gradient(const std::vector<double>& all) {
    for (std::size_t i = 0; i < parts_.size(); ++i)
      store_.all()[i].grad = from_doubles(run_, cut(all, i));
  }

  Run& run_;
  ParameterStore store_;
  std::vector<double> matrix_, target_, trajectory_, gradients_;
  std::vector<Part> parts_;
  std::unique_ptr<Optimizer> optimizer_;
};

const AddGolden radam{"radam", "radam", [](Run& run) { Trajectory(run).compute(); }};

}  // namespace
}  // namespace dml::golden
