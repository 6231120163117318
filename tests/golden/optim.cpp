#include <cmath>
#include <limits>
#include <regex>

#include "dml/clip.hpp"
#include "tests/golden/optimizer_run.hpp"

namespace dml::golden {
namespace {

/// "inf" or a number.
double power_of(const Case& given) {
  return given.text("norm_type") == "inf" ? std::numeric_limits<double>::infinity()
                                          : given.number("norm_type");
}

/// Python's words for settings, in ours: {'lr': 0.1, 'betas': (0.5, 0.9), 'nesterov': True}.
Settings settings_in(const std::string& text) {
  Settings settings;
  const std::regex entry(R"('(\w+)':\s*(\([^)]*\)|[^,}]+))");
  for (std::sregex_iterator it(text.begin(), text.end(), entry), end; it != end; ++it) {
    const std::string key = (*it)[1], value = (*it)[2];
    if (key == "betas") {
      const std::vector<double> betas = numbers_in(value);
      settings["beta1"] = exact(betas.at(0));
      settings["beta2"] = exact(betas.at(1));
    } else if (key != "amsgrad") {
      settings[key] = value;
    }
  }
  return settings;
}

/// A trajectory of 50 steps over tensors p0, p1, .. in groups, as PyTorch's optimizers are run.
class Steps {
 public:
  explicit Steps(Run& run) : run_(run), store_(run.device(), run.type()) {
    const Case& given = run.given();
    while (given.has("in.p" + std::to_string(count_))) add(count_++);
    const std::regex group(R"(\[([0-9, ]*)\]\s*(\{[^}]*\}))");
    const std::string text = given.text("groups");
    std::map<std::string, Settings> groups;
    for (std::sregex_iterator it(text.begin(), text.end(), group), end; it != end; ++it) {
      const std::string name = "group" + std::to_string(group_lr_.size());
      groups[name] = settings_in((*it)[2]);
      const auto lr = groups[name].find("lr");
      group_lr_.push_back(lr == groups[name].end() ? given.number("lr")
                                                   : numbers_in(lr->second)[0]);
      for (const double p : numbers_in((*it)[1]))
        store_.all()[static_cast<std::size_t>(p)].group = name;
    }
    if (given.op() == "radam_grouploss") lend_first_step_size(groups);
    optimizer_ = Registry<Optimizer>::make(name(), base(), {store_, groups});
    read_pause();
  }

  void compute() {
    const auto steps = run_.given().integer("steps");
    const std::vector<double> rates = doubles(run_.tensor("out.lr"));
    std::vector<std::vector<double>> trajectory(count_);
    std::vector<double> norms, used;
    for (std::int64_t t = 0; t < steps; ++t) {
      // The list of rates is the schedule of the case; all groups follow it in proportion.
      const double factor = rates[static_cast<std::size_t>(t) * group_lr_.size()] / rates[0];
      for (const double lr : group_lr_) used.push_back(lr * factor);
      store_.clear_gradients();
      for (std::size_t i = 0; i < count_; ++i)
        if (!paused(i, t)) store_.all()[i].grad = gradient(i, static_cast<std::size_t>(t));
      clip(norms);
      optimizer_->step(run_.device(), factor);
      for (std::size_t i = 0; i < count_; ++i) {
        const std::vector<double> value = doubles(store_.all()[i].value);
        trajectory[i].insert(trajectory[i].end(), value.begin(), value.end());
      }
    }
    for (std::size_t i = 0; i < count_; ++i)
      run_.give("out.p" + std::to_string(i), matrix(trajectory[i], centre_[i].size()));
    run_.give("out.lr", matrix(used, group_lr_.size()));
    if (run_.given().has("out.total_norm")) run_.give("out.total_norm", norms);
    give_state();
  }

 private:
  void add(std::size_t i) {
    const std::string at = std::to_string(i);
    const Tensor start = run_.tensor("in.p" + at);
    store_.add("p" + at, start.shape(), init::zeros()).value = run_.device().upload(start);
    matrix_.push_back(doubles(run_.tensor("in.A" + at)));
    centre_.push_back(doubles(run_.tensor("in.c" + at)));
    noise_.push_back(doubles(run_.tensor("in.noise" + at)));
  }

  std::string name() const {
    const std::string op = run_.given().op();
    return run_.given().flag("amsgrad") ? op + "_amsgrad" : op;
  }

  Settings base() const {
    const Case& given = run_.given();
    Settings settings;
    for (const char* key :
         {"lr", "weight_decay", "momentum", "dampening", "nesterov", "alpha", "centered", "eps"})
      if (given.says(key)) settings[key] = given.text(key);
    if (given.op() == "sgd" && !given.says("momentum")) settings["momentum"] = "0";
    if (given.says("betas")) {
      const std::vector<double> betas = numbers_in(given.text("betas"));
      settings["beta1"] = exact(betas.at(0));
      settings["beta2"] = exact(betas.at(1));
    }
    return settings;
  }

  /// The published RAdam lends every group the step size of the first; the decay keeps its own
  /// rate.
  void lend_first_step_size(std::map<std::string, Settings>& groups) const {
    const double decay = run_.given().number("weight_decay", 0);
    for (std::size_t g = 1; g < group_lr_.size(); ++g) {
      Settings& settings = groups["group" + std::to_string(g)];
      settings["lr"] = exact(group_lr_[0]);
      settings["weight_decay"] = exact(decay * group_lr_[g] / group_lr_[0]);
    }
  }

  /// Which tensor has no gradient for a while stands in the note alone.
  void read_pause() {
    const std::string note = run_.given().text("note", "");
    std::smatch found;
    if (std::regex_search(note, found,
                          std::regex(R"(tensor (\d+) has no gradient .*the first (\d+) steps)")))
      pause_ = {std::stoll(found[1]), 0, std::stoll(found[2]) - 1};
    if (std::regex_search(note, found,
                          std::regex(R"(tensor (\d+) has no gradient .*steps (\d+)\.\.(\d+))")))
      pause_ = {std::stoll(found[1]), std::stoll(found[2]), std::stoll(found[3])};
  }
  bool paused(std::size_t i, std::int64_t t) const {
    return static_cast<std::int64_t>(i) == pause_[0] && t >= pause_[1] && t <= pause_[2];
  }

  /// A (p - c) + 0.5 sin(3 p) + noise
  Tensor gradient(std::size_t i, std::size_t t) const {
    const std::vector<double> p = doubles(store_.all()[i].value);
    std::vector<double> g = quadratic_gradient(matrix_[i], centre_[i], p);
    for (std::size_t k = 0; k < g.size(); ++k)
      g[k] += 0.5 * std::sin(3 * p[k]) + noise_[i][t * g.size() + k];
    return from_doubles(run_, g);
  }

  void clip(std::vector<double>& norms) {
    const std::string how = run_.given().text("clip", "");
    if (how == "clip_grad_norm_")
      norms.push_back(clip_gradient_norm(run_.device(), store_, run_.given().number("max_norm"),
                                         power_of(run_.given()))
                          .item());
    if (how == "clip_grad_value_")
      clip_gradient_value(run_.device(), store_, run_.given().number("clip_value"));
  }

  void give_state() {
    const auto state = optimizer_->state();
    for (const std::string& name : run_.given().names("out.state.")) {
      const std::string key = name.substr(10);  // "exp_avg0"
      const std::size_t digits = key.find_last_not_of("0123456789") + 1;
      run_.give(name, state.at("p" + key.substr(digits) + "." + key.substr(0, digits)));
    }
  }

  Run& run_;
  ParameterStore store_;
  std::size_t count_ = 0;
  std::vector<std::vector<double>> matrix_, centre_, noise_;
  std::vector<double> group_lr_;
  std::array<std::int64_t, 3> pause_{-1, 0, 0};
  std::unique_ptr<Optimizer> optimizer_;
};

void steps(Run& run) { Steps(run).compute(); }

const AddGolden sgd{"optim", "sgd", steps};
const AddGolden adam{"optim", "adam", steps};
const AddGolden adamw{"optim", "adamw", steps};
const AddGolden rmsprop{"optim", "rmsprop", steps};
const AddGolden radam_torch{"optim", "radam_torch", steps};
const AddGolden radam_grouploss{"optim", "radam_grouploss", steps};
const AddGolden radam_plain{"optim", "radam_plain", steps};

/// A store whose gradients are in.g0, in.g1, ..
void load_gradients(Run& run, ParameterStore& store) {
  for (const std::string& name : run.given().names("in.g")) {
    const Tensor gradient = run.tensor(name);
    Parameter& p = store.add(name.substr(3), gradient.shape(), init::zeros());
    p.grad = run.device().upload(gradient.clone());
  }
}
void give_gradients(Run& run, const ParameterStore& store) {
  for (const Parameter& p : store.all()) run.give("out." + p.name, p.grad);
}

const AddGolden clip_norm{
    "optim", "clip_grad_norm_", [](Run& run) {
      ParameterStore store(run.device(), run.type());
      load_gradients(run, store);
      run.give("out.total_norm",
               clip_gradient_norm(run.device(), store, run.given().number("max_norm"),
                                  power_of(run.given())));
      give_gradients(run, store);
    }};

const AddGolden clip_value{"optim", "clip_grad_value_", [](Run& run) {
                             ParameterStore store(run.device(), run.type());
                             load_gradients(run, store);
                             clip_gradient_value(run.device(), store,
                                                 run.given().number("clip_value"));
                             give_gradients(run, store);
                           }};

}  // namespace
}  // namespace dml::golden
