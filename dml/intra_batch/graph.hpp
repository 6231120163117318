#pragma once
#include <optional>
#include <string>
#include <tuple>

#include "engine/schema.hpp"
#include "engine/tape.hpp"

namespace dml::intra_batch {

/// Which nodes of a batch are joined, and how strongly. Several graphs of one size may lie one
/// behind the other: g is their number, n that of the nodes of each. Rows are targets, columns are
/// sources.
struct Graph {
  std::int64_t groups = 1;
  std::int64_t nodes = 0;
  Var attributes{};  ///< [g, n, n] strength of every edge; undefined where nobody asks for it
  Var barrier{};     ///< [g, n, n] 0 at an edge, minus infinity elsewhere; undefined: all are edges
};

/// @see make_graph
struct GraphOptions {
  std::string sim_type = "correlation";
  std::string set_negative = "hard";
  std::string thresh = "no";
  static constexpr std::tuple fields{
      field("sim_type", &GraphOptions::sim_type,
            "similarity of two nodes: correlation of their rows, or their inner product",
            "correlation|cosine"),
      field("set_negative", &GraphOptions::set_negative,
            "similarities below 0: hard cuts them to 0; soft takes the smallest off all and makes "
            "the diagonal 0",
            "hard|soft"),
      field("thresh", &GraphOptions::thresh,
            "joins two nodes whose similarity is above this number; no: joins all"),
  };

  /// The number in thresh; none for "no". @throws UsageError for other texts.
  std::optional<double> threshold() const;
};

/// The similarity of the rows of each group.   x [g n, d] -> [g, n, n]
/// A row of which all elements are equal has no correlation: its similarities are 0 (NaN in the
/// published code).
Var similarity(const Var& x, std::int64_t groups, const GraphOptions& options);

/// The graph of the rows of each group (section 3 of Seidenschwarz et al., as their code computes
/// it). The complete graph costs nothing; its attributes are computed only if they are wanted.
/// @param attributes  whether the strengths of the edges are read (mult_attr)
Graph make_graph(const Var& x, std::int64_t groups, const GraphOptions& options, bool attributes);

}  // namespace dml::intra_batch
