#pragma once
#include "dml/labels.hpp"
#include "engine/tape.hpp"

/// The parts of RCDML (Zhang et al., Relationship Constraint Deep Metric Learning, Applied
/// Intelligence 2024), as the published code computes them. Lengths are sqrt(v^2 + 1e-12).
namespace dml::rcdml {

/// The classes of a batch in places of their own: min(n, classes) of them, the present classes
/// first, in ascending order. Sizes depend on the shape of the batch alone.
struct Slots {
  /// @throws ShapeError for a label outside [0, classes).
  Slots(const Labels& labels, std::int64_t classes);

  std::int64_t size = 0;     ///< how many places
  std::int64_t classes = 0;  ///< of the training set
  std::int64_t present = 0;  ///< places that hold a class
  Tensor of_row;             ///< [n] i64: the place of the class of every row
  Tensor row_class;          ///< [n] i64: the class of every row
  Tensor slot_class;         ///< [size] i64: the class of every place; 0 for empty ones
  Tensor holds_class;        ///< [size] f64: 1 for places that hold a class
  Tensor holds_pair;         ///< [size] f64: 1 for places whose class has two rows or more
};

/// Proxies moved towards the rows of their classes.
struct Correction {
  Var weights;  ///< [n] softmax over the rows of one class of the cosine of row and proxy
  Var proxies;  ///< [size, dim] keep proxy + mix sum of weight times row; 0 in empty places
};

/// The proxy correction.   x [n, d], proxies [classes, d]
Correction corrected(const Var& x, const Var& proxies, const Slots& slots, double keep, double mix);

/// The terms of the proxy-anchor loss.
struct AnchorTerms {
  Var positive, negative;  ///< []
};
/// Both terms on corrected proxies. A class that is absent from the batch
/// has a zero proxy, which adds log(1 + n exp(alpha margin)) / classes and has no gradient.
AnchorTerms proxy_anchor_terms(const Var& x, const Var& corrected, const Slots& slots, double alpha,
                               double margin);

/// PRC: the sum over ordered pairs of different corrected proxies of max(0, cosine).   -> []
Var proxy_relation(const Var& corrected);

/// SRC: the sum over classes with two rows or more of exp(-smallest cosine of two of its rows).
/// Equal cosines share the gradient evenly.   -> []
Var sample_relation(const Var& x, const Slots& slots);

}  // namespace dml::rcdml
