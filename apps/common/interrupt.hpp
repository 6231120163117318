#pragma once

namespace dml {

/// From now on the first Ctrl-C (or SIGTERM) only makes interrupted() true, so that the work can
/// end in order; the second ends the program at once.
void listen_for_interrupts();

/// Whether the user asked to stop.
bool interrupted();

/// The opposite, as functions that embed and check images ask it.
inline bool keep_going() { return !interrupted(); }

}  // namespace dml
