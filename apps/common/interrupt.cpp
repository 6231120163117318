#include "apps/common/interrupt.hpp"

#include <csignal>

namespace dml {
namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

extern "C" void note_signal(int signal) {
  asked_to_stop = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void listen_for_interrupts() {
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

bool interrupted() { return asked_to_stop != 0; }

}  // namespace dml
