// Times of parts of the engine.
//
//   dmlbench losses [--batch 128,512] [--dim 512] [--per-class 4] [--loss NAME,..] [--device cpu]
//                   [--threads N] [--json]
//   dmlbench document [--dim 512] [--per-class 4] [--threads N] > docs/losses.md
//
// losses: forward and backward of every loss on random embeddings, with the memory that it takes
// beyond them. document: the page of all losses, with what they cost at 512 embeddings.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/loss_pages.hpp"
#include "dml/loss.hpp"
#include "engine/cpu/allocator.hpp"

namespace dml::bench {
namespace {

/// What the command line says.
struct Options {
  std::vector<std::int64_t> batches{128, 512, 1024, 4096};
  std::int64_t dim = 512, per_class = 4;
  std::vector<std::string> losses;
  std::string device = "cpu";
  int threads = 2;
  double seconds = 0.5;  // for each loss and size
  bool json = false;
};

struct Measured {
  double milliseconds = 0;  ///< median of all runs but the first
  double first = 0;         ///< of the first run, which builds primitives
  double extra_mib = 0;     ///< peak of host memory beyond the embeddings
  double value = 0;
  int runs = 0;
  std::int64_t learnt = 0;  ///< numbers that it learns
  Requirements needs{};
};

Tensor embeddings(std::int64_t n, std::int64_t dim) {
  Tensor x = Tensor::empty({n, dim}, DType::f32);
  init::normal(1)(x, Random(1, Purpose::weights));
  return x;
}

Measured measure(const std::string& name, std::int64_t n, const Options& options) {
  Device device = Device::open(options.device, options.threads);
  ParameterStore store(device);
  const std::int64_t classes = (n + options.per_class - 1) / options.per_class;
  const auto loss = Registry<Loss>::make(name, {},
                                         {.scope = Scope(store) / "loss",
                                          .dim = options.dim,
                                          .features = options.dim,
                                          .classes = classes,
                                          .epochs = 1});
  std::vector<std::int64_t> of(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < of.size(); ++i)
    of[i] = static_cast<std::int64_t>(i) / options.per_class;
  const Labels labels(of, classes);
  const Tensor x = device.upload(embeddings(n, options.dim));
  Measured result;
  result.needs = loss->requirements();
  for (const Parameter& parameter : store.all())
    if (parameter.trainable) result.learnt += parameter.value.size();
  std::vector<double> times;
  double spent = 0;
  while (times.size() < 2 || (spent < options.seconds && times.size() < 2000)) {
    cpu::reset_peak();
    const std::size_t before = cpu::memory_use().current;
    const auto start = std::chrono::steady_clock::now();
    const auto tape = Tape::train(device);
    const Var z = tape->variable(x);
    const Var y = (*loss)({.embedding = z, .features = z, .labels = labels});
    tape->backward(y);
    device.synchronize();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::size_t most = cpu::memory_use().peak;
    result.extra_mib = static_cast<double>(most - before) / (1 << 20);
    result.value = y.value().item();
    store.clear_gradients();
    times.push_back(seconds * 1e3);
    spent += seconds;
  }
  result.first = times.front();
  result.runs = static_cast<int>(times.size());
  std::vector<double> rest(times.begin() + 1, times.end());
  std::nth_element(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(rest.size() / 2),
                   rest.end());
  result.milliseconds = rest[rest.size() / 2];
  return result;
}

int losses(Options options) {
  if (options.losses.empty()) options.losses = Registry<Loss>::names();
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  if (!options.json)
    fmt::print("{:30} {:>6} {:>10} {:>10} {:>12}\n", "loss", "batch", "ms", "MiB", "value");
  for (const std::string& name : options.losses)
    for (const std::int64_t n : options.batches) {
      try {
        const Measured m = measure(name, n, options);
        if (options.json) {
          rows.push_back({{"loss", name},
                          {"batch", n},
                          {"dim", options.dim},
                          {"ms", m.milliseconds},
                          {"first_ms", m.first},
                          {"extra_mib", m.extra_mib},
                          {"value", m.value},
                          {"runs", m.runs}});
        } else {
          fmt::print("{:30} {:>6} {:>10.3f} {:>10.1f} {:>12.6g}\n", name, n, m.milliseconds,
                     m.extra_mib, m.value);
        }
      } catch (const Error& error) {
        fmt::print(stderr, "{} at {}: {}\n", name, n, error.what());
      }
    }
  if (options.json) std::cout << rows.dump(1) << std::endl;
  return 0;
}

int document(const Options& options) {
  constexpr std::int64_t batch = 512;
  std::map<std::string, LossCost> costs;
  for (const std::string& name : Registry<Loss>::names()) {
    try {
      const Measured m = measure(name, batch, options);
      costs[name] = {m.learnt, m.needs, m.milliseconds, m.extra_mib, true};
    } catch (const Error& error) {
      costs[name].why = error.what();
    }
  }
  std::cout << loss_pages(costs, fmt::format("{} embeddings of {} numbers, {} of each class, f32, "
                                             "{} threads of {}",
                                             batch, options.dim, options.per_class, options.threads,
                                             options.device))
            << std::flush;
  return 0;
}

}  // namespace
}  // namespace dml::bench

int main(int argc, char** argv) {
  dml::bench::Options options;
  CLI::App app{"Times of parts of the engine."};
  app.require_subcommand(1);
  CLI::App* losses = app.add_subcommand("losses", "forward and backward of every loss");
  losses->add_option("--batch", options.batches, "sizes of the batch")->delimiter(',');
  losses->add_option("--dim", options.dim, "size of an embedding");
  losses->add_option("--per-class", options.per_class, "embeddings of each class");
  losses->add_option("--loss", options.losses, "names; all of the registry without")
      ->delimiter(',');
  losses->add_option("--device", options.device, "cpu, reference, cuda");
  losses->add_option("--threads", options.threads, "of the cpu backend");
  losses->add_option("--seconds", options.seconds, "spent on each loss and size");
  losses->add_flag("--json", options.json, "JSON on the standard output");
  CLI::App* document = app.add_subcommand("document", "the page of all losses, in Markdown");
  document->add_option("--dim", options.dim, "size of an embedding");
  document->add_option("--per-class", options.per_class, "embeddings of each class");
  document->add_option("--threads", options.threads, "of the cpu backend");
  CLI11_PARSE(app, argc, argv);
  try {
    return document->parsed() ? dml::bench::document(options) : dml::bench::losses(options);
  } catch (const dml::Error& error) {
    fmt::print(stderr, "dmlbench: {}\n", error.what());
    return error.exit_code();
  }
}
