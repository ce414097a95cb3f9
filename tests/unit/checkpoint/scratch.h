#pragma once
// A state with something of every kind.
#include <ATen/ATen.h>

#include <limits>

#include "../expect.h"
#include "checkpoint/checkpoint.h"

namespace cellmill::checkpoint {

/// Differs by `seed`; some `kilobytes` in size.
inline State sample(int seed, std::int64_t kilobytes = 20) {
  State state;
  const at::Tensor base = at::arange(kilobytes * 64, at::kDouble) * 0.1 + seed;
  state.tensors["model/weight"] = base.to(at::kFloat).view({-1, 8}).t();  // not contiguous
  state.tensors["model/bias.0"] = base;
  state.tensors["count"] = at::arange(seed, seed + 5);
  state.tensors["touched"] = at::ones({3, 2}, at::kByte);
  state.tensors["scalar"] = at::tensor(1.5);
  state.tensors["empty"] = at::zeros({0, 4});
  state.texts["config"] = "a: 1\n# déjà vu\n";
  state.texts["none"] = "";
  state.numbers["step"] = seed;
  state.numbers["least"] = std::numeric_limits<std::int64_t>::min();
  state.reals["loss"] = 0.1 + seed;
  state.reals["denormal"] = 5e-324;
  state.lists["genes"] = {"ACTB", "", "MT-CO1"};
  state.lists["nothing"] = {};
  return state;
}

}  // namespace cellmill::checkpoint
