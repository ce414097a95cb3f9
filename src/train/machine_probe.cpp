#include "train/machine_probe.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/format.h"
#include "base/stopwatch.h"
#include "train/disk_probe.h"

namespace cellmill::train {
namespace {

namespace fs = std::filesystem;

/// The lowest of the ranks' figures.
double slowest(comm::World& world, double figure) {
  auto value = at::full({1}, -figure, at::kDouble);
  world.host_world->all_reduce(value, comm::Op::kMax);
  return -value.item<double>();
}

/// GB/s of a ring; 0 alone.
double link_rate(comm::World& world, double bytes) {
  if (world.size == 1) return 0;
  const auto floats = static_cast<std::int64_t>(std::clamp(bytes, 4e6, 2.56e8) / 4);
  auto tensor = at::zeros({floats}, at::dtype(at::kFloat).device(world.device));
  std::vector<double> times;
  for (int k = 0; k < 6; ++k) {
    world.host_world->barrier();
    const Stopwatch watch;
    world.tensors().all_reduce(tensor, comm::Op::kSum);
    tensor[0].item<float>();
    if (k > 0) times.push_back(watch.seconds());
  }
  std::sort(times.begin(), times.end());
  const double n = world.size;
  return 2 * (n - 1) / n * 4e-9 * static_cast<double>(floats) / times[times.size() / 2];
}

/// Entries a second and thread, from the second batch on, of an epoch or some time of it.
double loader_rate(comm::World& world, const ProbePlan& plan) {
  constexpr double kEnough = 1.5;
  data::Loader loader(*plan.source, nullptr,
                      data::plan_options(plan.loader, plan.batch * world.size, 0), plan.loader,
                      {world.rank, world.size});
  if (!loader.next()) return 0;
  double entries = 0;
  const Stopwatch watch;
  while (watch.seconds() < kEnough) {
    const auto batch = loader.next();
    if (!batch) break;
    entries += static_cast<double>(batch->values.numel());
  }
  return entries / watch.seconds() / static_cast<double>(plan.loader.threads);
}

std::string largest_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  std::string largest;
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file(error) && entry.file_size(error) > bytes) {
      bytes = entry.file_size(error);
      largest = entry.path().string();
    }
  }
  return largest;
}

double memory_of_rank(const comm::World& world) {
  if (!world.device.is_cpu()) return 0;
  return 1e-9 * static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / world.local_size;
}

}  // namespace

Machine measure_machine(comm::World& world, const ProbePlan& plan) {
  Machine m;
  m.name = world.host;
  m.device = world.device.is_cpu() ? "cpu" : "cuda";
  m.ranks_per_node = world.local_size;
  m.memory_gb = memory_of_rank(world);
  const auto rates =
      models::measure_step_rates(plan.shape, world.device, [&] { world.host_world->barrier(); });
  m.float32_gflops = 1e-9 * slowest(world, rates.float32_flops);
  m.bfloat16_gflops =
      plan.shape.bfloat16 ? 1e-9 * slowest(world, rates.bfloat16_flops) : m.float32_gflops;
  m.gram_gflops = 1e-9 * slowest(world, rates.gram_flops);
  m.sparse_gflops = 1e-9 * slowest(world, rates.sparse_flops);
  m.memory_gbs = 1e-9 * slowest(world, rates.copy_bytes);
  std::vector<std::string> measured = {"products", "copies"}, guessed = {"links between nodes"};
  const auto take = [&](double& into, double figure, const char* what) {
    (figure > 0 ? measured : guessed).push_back(what);
    if (figure > 0) into = figure;
  };
  take(m.link_gbs, link_rate(world, plan.summed_bytes), "the all-reduce");
  m.node_link_gbs = m.link_gbs;
  double entries = 0, disk = 0;
  if (plan.source_options.format != "synthetic") {
    entries = slowest(world, loader_rate(world, plan));
    if (world.rank == 0) disk = read_rate(largest_file(plan.source_options.path));
    disk = -slowest(world, -disk);
  }
  take(m.loader_mentries, 1e-6 * entries, "the loader");
  take(m.disk_gbs, disk, "the disk");
  m.source =
      fmt::format("measured now by {} rank{}: {}; guessed: {}", world.size,
                  world.size > 1 ? "s" : "", fmt::join(measured, ", "), fmt::join(guessed, ", "));
  return m;
}

}  // namespace cellmill::train
