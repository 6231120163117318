// Training steps and inference of a whole net on given weights and batches, one command per line of
// standard input, one JSON object per line of standard output:
//
//   train N   N steps (net, linear classifier, cross-entropy, SGD) -> losses, milliseconds
//   infer N   N passes of the net with folded batch norm and the classifier -> milliseconds
//
// With --precision bf16 the steps (not the inference) compute the net in bf16.
// bench/compare_torch.py speaks to this program and to PyTorch in turns.
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "dml/optimizer.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/cuda/convolution_key.hpp"
#include "engine/safetensors.hpp"
#include "nets/model.hpp"
#include "ops/cross_entropy.hpp"

namespace dml::bench {
namespace {

using Json = nlohmann::json;

/// What the command line says: --name value.
std::map<std::string, std::string> read_flags(int argc, char** argv) {
  std::map<std::string, std::string> flags{
      {"--net", "resnet50"},   {"--device", "cpu"},   {"--threads", "2"},          {"--lr", "0.01"},
      {"--precision", "fp32"}, {"--momentum", "0.9"}, {"--weight-decay", "0.0001"}};
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) throw UsageError(std::string(argv[i]) + " needs a value");
    flags[argv[i]] = argv[i + 1];
  }
  for (const char* needed : {"--weights", "--batches"})
    if (!flags.contains(needed)) throw UsageError(std::string(needed) + " FILE is needed");
  return flags;
}

/// A line of /proc/self/status in MiB.
double status_mib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stod(line.substr(key.size() + 1)) / 1024;
  return 0;
}

class Bench {
 public:
  explicit Bench(const std::map<std::string, std::string>& flags)
      : device_(Device::open(flags.at("--device"), std::stoi(flags.at("--threads")))),
        store_(device_),
        model_(Model::make(flags.at("--net"), {}, {}, Scope(store_))) {
    const std::string& precision = flags.at("--precision");
    if (precision == "bf16") {
      model_.train_in(DType::bf16);
    } else if (precision == "tf32") {
      if (device_.backend() != Backend::cuda) throw UsageError("--precision tf32 needs a GPU");
      cuda::allow_tf32(*device_.cuda());
    } else if (precision != "fp32") {
      throw UsageError("--precision takes fp32, tf32 or bf16, not " + precision);
    }
    const SafeTensors weights = read_safetensors(flags.at("--weights"));
    const std::string name = model_.net().classifier_name();
    const std::int64_t classes = weights.at(name + ".bias").dim(0);
    classifier_.emplace(Scope(store_) / name, model_.width(), classes, init::zeros(),
                        init::zeros());
    for (Parameter& one : store_.all())
      if (const Tensor* found = weights.find(one.name)) {
        one.from_file(*found, device_);
      } else if (!one.is_buffer) {
        throw DataError(flags.at("--weights") + " has no '" + one.name + "'");
      }
    const SafeTensors batches = read_safetensors(flags.at("--batches"));
    for (int i = 0; const Tensor* images = batches.find("images." + std::to_string(i)); ++i) {
      images_.push_back(device_.upload(*images));  // [n, h, w, 3]
      labels_.push_back(batches.at("labels." + std::to_string(i)));
    }
    optimizer_ = Registry<Optimizer>::make("sgd",
                                           {{"lr", flags.at("--lr")},
                                            {"momentum", flags.at("--momentum")},
                                            {"weight_decay", flags.at("--weight-decay")}},
                                           {store_});
  }

  Json train(int steps) {
    Json losses = Json::array(), times = Json::array();
    for (int i = 0; i < steps; ++i) {
      const auto start = std::chrono::steady_clock::now();
      losses.push_back(step());
      times.push_back(milliseconds_since(start));
    }
    return {{"losses", losses}, {"ms", times}, {"peak_mib", status_mib("VmHWM:")}};
  }

  Json infer(int passes) {
    const WeightHold hold = model_.net().hold_weights();
    Json times = Json::array();
    double sum = 0;
    for (int i = 0; i < passes; ++i) {
      const std::size_t b = static_cast<std::size_t>(i) % images_.size();
      const auto start = std::chrono::steady_clock::now();
      const Var logits = run(Tape::infer(device_)->input(images_[b]));
      device_.synchronize();
      times.push_back(milliseconds_since(start));
      sum = 0;
      const Tensor values = logits.value().to_host();
      for (const float value : values.data<float>()) sum += static_cast<double>(std::abs(value));
    }
    return {{"ms", times}, {"checksum", sum}, {"peak_mib", status_mib("VmHWM:")}};
  }

 private:
  Var run(const Var& images) { return (*classifier_)(model_(images).features); }

  double step() {
    const std::size_t b = steps_++ % images_.size();
    const auto tape = Tape::train(device_);
    const Var loss = cross_entropy(run(tape->input(images_[b])), labels_[b]);
    const double value = loss.value().item();
    tape->backward(loss);
    optimizer_->step(device_, 1);
    store_.clear_gradients();
    device_.synchronize();
    return value;
  }

  static double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  }

  Device device_;
  ParameterStore store_;
  Model model_;
  std::optional<Linear> classifier_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Tensor> images_, labels_;
  std::size_t steps_ = 0;
};

int serve(int argc, char** argv) {
  Bench bench(read_flags(argc, argv));
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    int number = 0;
    words >> command >> number;
    if (command == "train") {
      std::cout << bench.train(number) << std::endl;
    } else if (command == "infer") {
      std::cout << bench.infer(number) << std::endl;
    } else {
      throw UsageError("'" + line + "' is none of: train N, infer N");
    }
  }
  return 0;
}

}  // namespace
}  // namespace dml::bench

int main(int argc, char** argv) {
  try {
    return dml::bench::serve(argc, argv);
  } catch (const dml::Error& error) {
    std::cerr << "dmlstep: " << error.what() << '\n';
    return error.exit_code();
  }
}
