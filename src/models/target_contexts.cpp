#include "models/target_contexts.h"

#include <ATen/ATen.h>

#include "base/random.h"

namespace cellmill::models {

at::Tensor draw_targets(const at::Tensor& source, const at::Tensor& cells,
                        const std::vector<std::int64_t>& categories,
                        const std::vector<double>& keep, bool exclude_source, std::uint64_t seed,
                        std::int64_t epoch) {
  const auto s = source.contiguous();
  auto target = at::empty_like(s);
  const auto* from = s.const_data_ptr<std::int64_t>();
  const auto* cell = cells.const_data_ptr<std::int64_t>();
  auto* to = target.mutable_data_ptr<std::int64_t>();
  const auto fields = s.size(1);
  for (std::int64_t i = 0; i < s.size(0); ++i) {
    for (std::int64_t f = 0; f < fields; ++f) {
      const auto own = from[i * fields + f];
      auto& drawn = to[i * fields + f];
      drawn = own;
      if (own < 0) continue;
      const auto key = [&](random::Use use) {
        return random::bits(
            use, {seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(cell[i]),
                  static_cast<std::uint64_t>(f)});
      };
      const auto n = static_cast<std::uint64_t>(categories[static_cast<std::size_t>(f)]);
      const bool skip_source = exclude_source && n > 1;
      drawn = static_cast<std::int64_t>(
          random::below(key(random::Use::kTarget), skip_source ? n - 1 : n));
      if (skip_source && drawn >= own) ++drawn;
      if (random::unit(key(random::Use::kKeep)) < keep[static_cast<std::size_t>(f)]) drawn = own;
    }
  }
  return target;
}

}  // namespace cellmill::models
