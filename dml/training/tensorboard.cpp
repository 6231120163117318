#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

#include "dml/training/sinks.hpp"
#include "engine/crc32c.hpp"
#include "engine/error.hpp"
#include "engine/protobuf.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// The few fields of tensorflow's event.proto and summary.proto that scalars and histograms need.
using Message = ProtobufMessage;

std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// The checksum of a record: rotated and shifted, because checksums of checksums are weak.
std::string masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return little((crc >> 15U | crc << 17U) + 0xA282EAD8U, 4);
}

double now() {
  using std::chrono::system_clock;
  return std::chrono::duration<double>(system_clock::now().time_since_epoch()).count();
}

std::string file_name() {
  char host[256] = "host";
  static_cast<void>(::gethostname(host, sizeof host - 1));
  const auto ticks =
      std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds(1);
  return fmt::format("events.out.tfevents.{:010}.{}.{}.{:06}", ticks / 1000000, host, ::getpid(),
                     ticks % 1000000);
}

class TensorBoard final : public Sink {
 public:
  TensorBoard(const fs::path& folder, std::int64_t every)
      : file_(folder / file_name()), out_(file_, std::ios::binary | std::ios::app), every_(every) {
    if (!out_) throw DataError(file_.string() + ": cannot be opened for writing");
    Message event;
    event.real(1, now());
    event.text(3, "brain.Event:2");
    record(event.bytes());
  }

  void on(const Event& event, double) override {
    if (const auto* run = std::get_if<RunStarted>(&event)) start(*run);
    if (const auto* step = std::get_if<StepDone>(&event)) write(*step);
    if (const auto* epoch = std::get_if<EpochDone>(&event)) write(*epoch);
    if (const auto* eval = std::get_if<EvalDone>(&event)) write(*eval);
  }

 private:
  /// Tells TensorBoard to forget what an earlier process wrote for the steps that are repeated.
  void start(const RunStarted& run) {
    if (run.step == 0) return;
    Message session;
    session.whole(1, 1);  // SessionLog.START
    Message event;
    event.real(1, now());
    event.whole(2, run.step + 1);
    event.text(7, session.bytes());
    record(event.bytes());
  }

  void write(const StepDone& step) {
    if (every_ < 1 || step.step % every_ != 0) return;
    Figures figures = {{"train/loss", step.loss},
                       {"train/gradient_norm", step.grad_norm},
                       {"train/learning_rate", step.learning_rate}};
    for (const auto& [name, value] : step.parts) figures.emplace_back("loss/" + name, value);
    summary(step.step, figures);
  }

  void write(const EpochDone& epoch) {
    Figures figures = {{"epoch/loss", epoch.loss},
                       {"epoch/epoch", static_cast<double>(epoch.epoch)}};
    for (const auto& [name, value] : epoch.metrics)
      figures.emplace_back(epoch.split + "/" + name, value);
    summary(epoch.step, figures, epoch.split, epoch.histograms);
  }

  void write(const EvalDone& eval) {
    Figures figures;
    for (const auto& [name, value] : eval.metrics)
      figures.emplace_back(eval.split + "/" + name, value);
    summary(eval.step, figures, eval.split, eval.histograms);
  }

  void summary(std::int64_t step, const Figures& figures, const std::string& split = {},
               const std::vector<Histogram>& histograms = {}) {
    Message values;
    for (const auto& [name, value] : figures) {
      Message one;
      one.text(1, name);
      one.single(2, static_cast<float>(value));
      values.text(1, one.bytes());
    }
    for (const Histogram& histogram : histograms) {
      Message one;
      one.text(1, split + "/" + histogram.name);
      one.text(5, proto_of(histogram));
      values.text(1, one.bytes());
    }
    Message event;
    event.real(1, now());
    event.whole(2, step);
    event.text(5, values.bytes());
    record(event.bytes());
  }

  static std::string proto_of(const Histogram& histogram) {
    Message proto;
    proto.real(1, histogram.min);
    proto.real(2, histogram.max);
    proto.real(3, static_cast<double>(histogram.count));
    proto.real(4, histogram.sum);
    proto.real(5, histogram.sum_squares);
    proto.reals(6, histogram.limits);
    proto.reals(7, histogram.counts);
    return proto.bytes();
  }

  void record(const std::string& bytes) {
    const std::string length = little(bytes.size(), 8);
    errno = 0;
    out_ << length << masked_crc(length) << bytes << masked_crc(bytes) << std::flush;
    if (!out_) throw Error(file_.string() + ": writing failed: " + std::strerror(errno));
  }

  fs::path file_;
  std::ofstream out_;
  std::int64_t every_;
};

}  // namespace

std::unique_ptr<Sink> tensorboard_file(const fs::path& folder, std::int64_t every) {
  return std::make_unique<TensorBoard>(folder, every);
}

}  // namespace dml
