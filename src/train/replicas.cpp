#include "train/replicas.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/format.h"
#include "io/digest.h"

namespace cellmill::train {
namespace {

using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

Tensors replica_of(models::Model& model, const std::vector<AdamW>& optimisers) {
  auto all = model.buffers();
  for (const auto& optimiser : optimisers)
    for (auto& named : optimiser.replica()) all.push_back(std::move(named));
  return all;
}

std::uint64_t digest_of(const at::Tensor& tensor) {
  constexpr std::int64_t kPiece = 1 << 20;
  const auto host = tensor.cpu().contiguous();
  const auto bytes = static_cast<std::int64_t>(host.nbytes());
  std::vector<std::uint64_t> pieces(static_cast<std::size_t>((bytes + kPiece - 1) / kPiece));
  const auto* data = static_cast<const char*>(host.const_data_ptr());
  at::parallel_for(
      0, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t from, std::int64_t to) {
        for (auto k = from; k < to; ++k)
          pieces[static_cast<std::size_t>(k)] = io::digest_number(
              data + k * kPiece, static_cast<std::size_t>(std::min(kPiece, bytes - k * kPiece)), 0);
      });
  return io::digest_number(pieces.data(), pieces.size() * sizeof pieces[0], 0);
}

/// Ranks by what they have; the largest part first.
std::vector<std::vector<int>> parties(const at::Tensor& digest_of_rank) {
  std::map<std::int64_t, std::vector<int>> by_digest;
  for (int r = 0; r < digest_of_rank.numel(); ++r)
    by_digest[digest_of_rank[r].item<std::int64_t>()].push_back(r);
  std::vector<std::vector<int>> all;
  for (auto& [digest, ranks] : by_digest) all.push_back(std::move(ranks));
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return all;
}

std::string names_of(const at::Tensor& table, const Tensors& tensors) {
  std::vector<std::string> names;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const auto column = table.select(1, static_cast<std::int64_t>(t));
    if (!column.eq(column[0]).all().item<bool>()) names.push_back(tensors[t].first);
  }
  constexpr std::size_t kNamed = 4;
  const auto more = names.size() > kNamed ? fmt::format(" and {} more", names.size() - kNamed) : "";
  names.resize(std::min(names.size(), kNamed));
  return fmt::format("{}{}", fmt::join(names, ", "), more);
}

}  // namespace

std::optional<Difference> compare_replicas(comm::Communicator& host, const std::string& host_name,
                                           models::Model& model,
                                           const std::vector<AdamW>& optimisers) {
  if (host.size() == 1) return {};
  const auto tensors = replica_of(model, optimisers);
  auto digests = at::empty({1, static_cast<std::int64_t>(tensors.size())}, at::kLong);
  for (std::size_t t = 0; t < tensors.size(); ++t)
    digests.mutable_data_ptr<std::int64_t>()[t] =
        static_cast<std::int64_t>(digest_of(tensors[t].second));
  const auto whole = io::digest_number(digests.const_data_ptr(), digests.nbytes(), 0);
  const auto all =
      parties(host.all_gather(at::full({1}, static_cast<std::int64_t>(whole), at::kLong)));
  if (all.size() == 1) return {};
  const auto table = host.all_gather(digests);
  const auto hosts = host.gather_texts(host_name);
  const bool majority = 2 * all.front().size() > static_cast<std::size_t>(host.size());
  Difference found;
  for (auto party = all.begin() + (majority ? 1 : 0); party != all.end(); ++party)
    found.ranks.insert(found.ranks.end(), party->begin(), party->end());
  std::sort(found.ranks.begin(), found.ranks.end());
  std::vector<std::string> who;
  for (const int r : found.ranks)
    who.push_back(fmt::format("rank {} on {}", r, hosts[static_cast<std::size_t>(r)]));
  found.text =
      fmt::format("{} {} in {}", fmt::join(who, ", "),
                  majority ? fmt::format("{} from the {} that agree",
                                         who.size() > 1 ? "differ" : "differs", all.front().size())
                           : "differ, and no majority says which is right,",
                  names_of(table, tensors));
  return found;
}

}  // namespace cellmill::train
