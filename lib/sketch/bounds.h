// Where the buckets of a sketch meet, as integers, so that finding a bucket needs no logarithm and is exact.
// For sketch.h alone; computed with exact integer roots, proved again by sketch_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kleptometrics::sketch_detail {

// floor(2^(63 + i/64)) for i = 0 .. 63: the bounds within an octave, of a value shifted until its highest bit
// is bit 63. All but the first are irrational, so "above the bound" and "above its floor" are the same for
// integers. The last entry is a sentinel that nothing exceeds.
inline constexpr std::array<std::uint64_t, 65> kBounds = {
    0x8000000000000000U, 0x8164d1f3bc030773U, 0x82cd8698ac2ba1d7U, 0x843a28c3acde4046U, 0x85aac367cc487b14U,
    0x871f61969e8d1010U, 0x88980e8092da8527U, 0x8a14d575496efd9aU, 0x8b95c1e3ea8bd6e6U, 0x8d1adf5b7e5ba9e5U,
    0x8ea4398b45cd53c0U, 0x9031dc431466b1dcU, 0x91c3d373ab11c336U, 0x935a2b2f13e6e92bU, 0x94f4efa8fef70961U,
    0x96942d3720185a00U, 0x9837f0518db8a96fU, 0x99e0459320b7fa64U, 0x9b8d39b9d54e5538U, 0x9d3ed9a72cffb750U,
    0x9ef5326091a111adU, 0xa0b0510fb9714fc2U, 0xa27043030c496818U, 0xa43515ae09e6809eU, 0xa5fed6a9b15138eaU,
    0xa7cd93b4e9653569U, 0xa9a15ab4ea7c0ef8U, 0xab7a39b5a93ed337U, 0xad583eea42a14ac6U, 0xaf3b78ad690a4374U,
    0xb123f581d2ac258fU, 0xb311c412a9112489U, 0xb504f333f9de6484U, 0xb6fd91e328d17791U, 0xb8fbaf4762fb9ee9U,
    0xbaff5ab2133e45fbU, 0xbd08a39f580c36beU, 0xbf1799b67a731082U, 0xc12c4cca66709456U, 0xc346ccda24976407U,
    0xc5672a115506daddU, 0xc78d74c8abb9b15cU, 0xc9b9bd866e2f27a2U, 0xcbec14fef2727c5cU, 0xce248c151f8480e3U,
    0xd06333daef2b2594U, 0xd2a81d91f12ae45aU, 0xd4f35aabcfedfa1fU, 0xd744fccad69d6af4U, 0xd99d15c278afd7b5U,
    0xdbfbb797daf23755U, 0xde60f4825e0e9123U, 0xe0ccdeec2a94e111U, 0xe33f8972be8a5a51U, 0xe5b906e77c8348a8U,
    0xe8396a503c4bdc68U, 0xeac0c6e7dd24392eU, 0xed4f301ed9942b84U, 0xefe4b99bdcdaf5cbU, 0xf281773c59ffb139U,
    0xf5257d152486cc2cU, 0xf7d0df730ad13bb8U, 0xfa83b2db722a033aU, 0xfd3e0c0cf486c174U, UINT64_MAX,
};

constexpr std::array<std::uint8_t, 128> bounds_below_slices() {
  std::array<std::uint8_t, 128> below{};
  for (std::uint64_t slice = 0; slice < 128; ++slice) {
    const std::uint64_t start = (std::uint64_t{1} << 63U) | (slice << 56U);
    std::size_t count = 0;
    while (kBounds[count] < start) ++count;
    below[slice] = static_cast<std::uint8_t>(count);
  }
  return below;
}

// Cuts an octave into 128 equal slices: how many bounds lie below each. A slice (1/128) is narrower than the
// narrowest bucket (2^(1/64) - 1 = 1/92), so it contains at most one bound: one comparison settles the rest.
inline constexpr std::array<std::uint8_t, 128> kBoundsBelowSlice = bounds_below_slices();

}  // namespace kleptometrics::sketch_detail
