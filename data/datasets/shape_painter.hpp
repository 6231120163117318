#pragma once
#include <cstdint>

#include "data/transform.hpp"
#include "engine/random.hpp"

namespace dml::shapes {

/// What tells the classes of the built-in set apart: the outline and the pattern of one figure.
/// Nothing else of a picture says anything about its class.
struct Figure {
  int lobes = 3;       ///< of the outline
  double depth = 0.2;  ///< how far the outline swings about its mean radius, share of it
  int pattern = 0;     ///< below pattern_count, see Pattern
};

enum class Pattern : std::uint8_t { plain, hole, ring, wide_stripes, narrow_stripes, dots };
inline constexpr int pattern_count = 6;

/// How many different figures there are, and the i-th of them. The order is mixed, so that any
/// first half of the classes shows all lobes, depths and patterns, in other combinations than the
/// rest.
inline constexpr int figure_count = 48;
Figure figure(int i);

/// A picture of the figure, 96 to 128 pixels a side. Place, size, rotation, slant, colours, light,
/// background and what lies about are drawn from `random`. The same stream gives the same pixels on
/// every machine: only additions, products, quotients and square roots are used, each rounded.
Image paint(const Figure& figure, Random random);

}  // namespace dml::shapes
