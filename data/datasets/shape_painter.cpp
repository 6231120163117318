#include "data/datasets/shape_painter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace dml::shapes {
namespace {

struct Point {
  double x = 0, y = 0;
};
using Colour = std::array<double, 3>;  // 0..1

Colour mix(const Colour& a, const Colour& b, double t) {
  return {a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t};
}

double brightness(const Colour& c) { return 0.3 * c[0] + 0.6 * c[1] + 0.1 * c[2]; }

/// A direction, uniform on the circle, without the library's sine: a point of the unit disc,
/// scaled to length 1.
Point direction(RandomSequence& random) {
  while (true) {
    const Point p{random.uniform(-1, 1), random.uniform(-1, 1)};
    const double square = p.x * p.x + p.y * p.y;
    if (square < 0.01 || square > 1) continue;
    const double length = std::sqrt(square);
    return {p.x / length, p.y / length};
  }
}

Colour any_colour(RandomSequence& random) {
  return {random.uniform(0.05, 0.95), random.uniform(0.05, 0.95), random.uniform(0.05, 0.95)};
}

/// A colour that is brighter or darker than another by at least `least`.
Colour contrasting(RandomSequence& random, const Colour& other, double least) {
  Colour colour = any_colour(random);
  for (int attempt = 0; attempt < 30; ++attempt) {
    if (std::abs(brightness(colour) - brightness(other)) >= least) return colour;
    colour = any_colour(random);
  }
  const double target = brightness(other) < 0.5 ? 0.9 : 0.1;
  return {target, target, target};
}

/// Something in the background that means nothing: a bar or an ellipse.
struct Clutter {
  Point centre, axis;
  double length, width;
  bool round;
  Colour colour;
  double opacity;

  bool covers(double x, double y) const {
    const double dx = x - centre.x, dy = y - centre.y;
    const double u = (dx * axis.x + dy * axis.y) / length;
    const double v = (dy * axis.x - dx * axis.y) / width;
    return round ? u * u + v * v < 1 : std::abs(u) < 1 && std::abs(v) < 1;
  }
};

/// Everything about one picture. Lengths are shares of the picture's side.
struct Scene {
  Figure figure;
  Point centre, axis;  // the figure's place and its own x axis
  double radius, stretch;
  Colour fill, mark, outline;
  double outline_width;
  Colour ground_a, ground_b;
  Point ground_axis, light_axis;
  double light, ripple;
  std::vector<Clutter> clutter;
};

Scene compose(const Figure& figure, RandomSequence& random) {
  Scene s{};
  s.figure = figure;
  s.ground_a = any_colour(random);
  s.ground_b = mix(s.ground_a, any_colour(random), 0.4);
  s.ground_axis = direction(random);
  s.light_axis = direction(random);
  s.light = random.uniform(0, 0.35);
  s.ripple = random.uniform(0, 0.05);
  s.fill = contrasting(random, mix(s.ground_a, s.ground_b, 0.5), 0.25);
  s.mark = contrasting(random, s.fill, 0.3);
  s.outline = mix(s.fill, contrasting(random, s.fill, 0.2), 0.5);
  s.outline_width = random.uniform(0, 0.05);
  s.radius = random.uniform(0.26, 0.36);
  s.stretch = random.uniform(0.88, 1.14);
  s.centre = {0.5 + random.uniform(-0.1, 0.1), 0.5 + random.uniform(-0.1, 0.1)};
  s.axis = direction(random);
  const auto pieces = 3 + random.below(5);
  for (std::uint64_t i = 0; i < pieces; ++i)
    s.clutter.push_back({.centre = {random.uniform(), random.uniform()},
                         .axis = direction(random),
                         .length = random.uniform(0.05, 0.3),
                         .width = random.uniform(0.01, 0.08),
                         .round = random.uniform() < 0.5,
                         .colour = any_colour(random),
                         .opacity = random.uniform(0.3, 0.8)});
  return s;
}

/// Whether the pattern marks a point. u and v are the figure's own axes in units of its radius, r
/// is the share of the way from the centre to the outline.
bool marked(int pattern, double u, double v, double r) {
  const auto wave = [](double t, double period) {
    const double turn = t / period;
    return turn - std::floor(turn) < 0.5;
  };
  switch (static_cast<Pattern>(pattern)) {
    case Pattern::plain:
      return false;
    case Pattern::hole:
      return r < 0.42;
    case Pattern::ring:
      return r > 0.38 && r < 0.68;
    case Pattern::wide_stripes:
      return wave(v + 0.125, 0.5);
    case Pattern::narrow_stripes:
      return wave(v + 0.0625, 0.25);
    case Pattern::dots: {
      const double a = u / 0.45 + 0.5, b = v / 0.45 + 0.5;
      const double x = a - std::floor(a) - 0.5, y = b - std::floor(b) - 0.5;
      return x * x + y * y < 0.075;
    }
  }
  return false;
}

Colour background(const Scene& s, double x, double y) {
  const double along = (x - 0.5) * s.ground_axis.x + (y - 0.5) * s.ground_axis.y;
  Colour colour = mix(s.ground_a, s.ground_b, std::clamp(along + 0.5, 0.0, 1.0));
  for (const Clutter& piece : s.clutter)
    if (piece.covers(x, y)) colour = mix(colour, piece.colour, piece.opacity);
  return colour;
}

/// The radius of the outline in the direction (u, v) / rho: 1 + depth * cos(lobes * angle). The
/// cosine of the multiple comes from a power of a complex number of length 1.
double outline_radius(const Figure& figure, double u, double v, double rho) {
  const double c = u / rho, d = v / rho;
  double re = 1, im = 0;
  for (int i = 0; i < figure.lobes; ++i) {
    const double next = re * c - im * d;
    im = re * d + im * c;
    re = next;
  }
  return 1 + figure.depth * re;
}

Colour shade(const Scene& s, double x, double y) {
  const double dx = (x - s.centre.x) / s.radius, dy = (y - s.centre.y) / s.radius;
  const double u = (dx * s.axis.x + dy * s.axis.y) * s.stretch;
  const double v = (dy * s.axis.x - dx * s.axis.y) / s.stretch;
  const double rho = std::sqrt(u * u + v * v);
  if (rho < 1.5) {
    const double edge = rho < 1e-9 ? 1 : outline_radius(s.figure, u, v, rho);
    if (rho < edge) {
      if (edge - rho < s.outline_width) return s.outline;
      return marked(s.figure.pattern, u, v, rho / edge) ? s.mark : s.fill;
    }
  }
  return background(s, x, y);
}

}  // namespace

Figure figure(int i) {
  // 48 = 4 lobes x 2 depths x 6 patterns, visited in steps of 29, which shares no factor with 48.
  const int mixed = static_cast<int>((static_cast<std::int64_t>(i) * 29 + 7) % figure_count);
  constexpr std::array<int, 4> lobes{3, 4, 5, 7};
  return {.lobes = lobes[static_cast<std::size_t>(mixed / 12)],
          .depth = mixed / 6 % 2 == 0 ? 0.12 : 0.32,
          .pattern = mixed % 6};
}

Image paint(const Figure& figure, Random random) {
  RandomSequence draw(random.split(0));
  const Random noise = random.split(1);
  const auto side = static_cast<std::int64_t>(96 + 8 * draw.below(5));
  const Scene scene = compose(figure, draw);
  constexpr int grid = 2;  // samples per pixel and axis
  Image image(side, side);
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      Colour sum{};
      for (int i = 0; i < grid * grid; ++i) {
        const double sx =
            (static_cast<double>(x) + (i % grid + 0.5) / grid) / static_cast<double>(side);
        const double sy =
            (static_cast<double>(y) + (i / grid + 0.5) / grid) / static_cast<double>(side);
        const Colour one = shade(scene, sx, sy);
        for (std::size_t c = 0; c < 3; ++c) sum[c] += one[c];
      }
      const double px = static_cast<double>(x) / static_cast<double>(side) - 0.5;
      const double py = static_cast<double>(y) / static_cast<double>(side) - 0.5;
      const double light =
          1 + 2 * scene.light * (px * scene.light_axis.x + py * scene.light_axis.y);
      const auto grain = noise.uniform(static_cast<std::uint64_t>(y * side + x)) - 0.5;
      for (std::size_t c = 0; c < 3; ++c) {
        const double value = sum[c] / (grid * grid) * light + 2 * scene.ripple * grain;
        image.row(y)[3 * x + static_cast<std::int64_t>(c)] =
            static_cast<std::uint8_t>(std::clamp(value, 0.0, 1.0) * 255 + 0.5);
      }
    }
  }
  return image;
}

}  // namespace dml::shapes
