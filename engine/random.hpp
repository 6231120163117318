#pragma once
#include <array>
#include <cmath>
#include <cstdint>

#include "engine/check.hpp"

namespace dml {

/// What random numbers are for. Components with different purposes cannot disturb each other.
enum class Purpose : std::uint32_t {
  weights,
  shuffle,
  augment,
  dropout,
  mine,
  cluster,
  split,
  render
};

/// A stream of random numbers in which the i-th number is a pure function of
/// (seed, purpose, epoch, index, i): Philox 4x32-10 (Salmon et al., SC 2011), the same bits on CPU
/// and CUDA. Nothing is stored, so a stream may be read in any order and from any thread.
class Random {
 public:
  /// @param index  which stream of that epoch: the number of an image, of a layer, of a step.
  DML_HOST_DEVICE constexpr Random(std::uint64_t seed, Purpose purpose, std::uint64_t epoch = 0,
                                   std::uint64_t index = 0)
      : seed_(seed),
        stream_(mix(mix(static_cast<std::uint64_t>(purpose) * 0x100000001B3ULL + epoch) + index)) {}

  /// A stream of its own for every number, derived from this one.
  DML_HOST_DEVICE constexpr Random split(std::uint64_t index) const {
    Random child = *this;
    child.stream_ = mix(stream_ + mix(index + 1));
    return child;
  }

  /// Words 4 b to 4 b + 3 of bits(), at the price of one.
  struct Block {
    std::uint32_t word[4];
  };
  DML_HOST_DEVICE constexpr Block block(std::uint64_t b) const {
    std::uint32_t c0 = static_cast<std::uint32_t>(b), c1 = static_cast<std::uint32_t>(b >> 32U);
    std::uint32_t c2 = static_cast<std::uint32_t>(stream_);
    std::uint32_t c3 = static_cast<std::uint32_t>(stream_ >> 32U);
    std::uint32_t k0 = static_cast<std::uint32_t>(seed_),
                  k1 = static_cast<std::uint32_t>(seed_ >> 32U);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c0;
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32U) ^ c1 ^ k0;
      c2 = static_cast<std::uint32_t>(p0 >> 32U) ^ c3 ^ k1;
      c1 = static_cast<std::uint32_t>(p1);
      c3 = static_cast<std::uint32_t>(p0);
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    return {{c0, c1, c2, c3}};
  }
  /// The i-th 32 random bits.
  DML_HOST_DEVICE constexpr std::uint32_t bits(std::uint64_t i) const {
    const Block words = block(i / 4);
    switch (i % 4) {  // no index: a GPU would put the words into memory for it
      case 0:
        return words.word[0];
      case 1:
        return words.word[1];
      case 2:
        return words.word[2];
      default:
        return words.word[3];
    }
  }

  /// The i-th 64 random bits (words 2i and 2i+1 of bits()).
  DML_HOST_DEVICE constexpr std::uint64_t bits64(std::uint64_t i) const {
    return (static_cast<std::uint64_t>(bits(2 * i)) << 32U) | bits(2 * i + 1);
  }
  /// The i-th uniform double in [0, 1), 53 bits.
  DML_HOST_DEVICE constexpr double uniform(std::uint64_t i) const {
    return static_cast<double>(bits64(i) >> 11U) * 0x1p-53;
  }
  /// The i-th uniform float in [0, 1), 24 bits of bits(i).
  DML_HOST_DEVICE constexpr float uniform_float(std::uint64_t i) const { return unit(bits(i)); }
  /// 32 random bits as a float in [0, 1).
  DML_HOST_DEVICE static constexpr float unit(std::uint32_t bits) {
    return static_cast<float>(bits >> 8U) * 0x1p-24F;
  }
  /// The i-th standard normal double (Box-Muller on uniforms 2i and 2i+1).
  double normal(std::uint64_t i) const {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * i)));
    return radius * std::cos(6.283185307179586 * uniform(2 * i + 1));
  }
  /// The i-th integer in [0, n), n > 0; bias below n / 2^64.
  DML_HOST_DEVICE constexpr std::uint64_t below(std::uint64_t i, std::uint64_t n) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(bits64(i)) * n) >> 64U);
  }

 private:
  /// splitmix64's finaliser: spreads every input bit over the word.
  DML_HOST_DEVICE static constexpr std::uint64_t mix(std::uint64_t z) {
    z += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

/// Reads a Random one number after the other.
class RandomSequence {
 public:
  explicit RandomSequence(Random random) : random_(random) {}
  double uniform() { return random_.uniform(next_++); }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  std::uint64_t below(std::uint64_t n) { return random_.below(next_++, n); }
  double normal() { return random_.normal(next_++); }

  /// Puts a range in random order (Fisher-Yates).
  template <class Range> void shuffle(Range& range) {
    for (std::size_t i = range.size(); i > 1; --i) std::swap(range[i - 1], range[below(i)]);
  }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

}  // namespace dml
