// NCCL over one CUDA device a rank, on a stream of its own: each collective waits for what the
// current stream has queued, and the current stream waits for the collective, so that a tensor that
// is freed or written afterwards needs no further care. Texts and barriers go over the host's
// world.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <cstring>

#include "base/format.h"
#include "base/log.h"
#include "comm/activity.h"
#include "comm/world.h"

namespace cellmill::comm {
namespace {

ncclDataType_t nccl_type(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    case at::kLong:
      return ncclInt64;
    case at::kByte:
      return ncclUint8;
    default:
      throw InternalError("all_reduce of " + tensor.toString());
  }
}

class NcclCommunicator : public Communicator {
 public:
  /// Collective over `host`, which must outlive this.
  NcclCommunicator(Communicator& host, at::DeviceIndex device);
  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  void all_reduce(at::Tensor& tensor, Op op) override;
  void start_sum(at::Tensor& tensor) override;
  void finish_sums() override;
  void reduce_scatter(at::Tensor& flat) override;
  void gather_shares(at::Tensor& flat) override;
  at::Tensor all_gather(const at::Tensor& tensor) override;
  void broadcast(at::Tensor& tensor, int root) override;
  void barrier() override;
  std::string broadcast_text(const std::string& text, int root) override {
    return host_.broadcast_text(text, root);
  }
  std::vector<std::string> gather_texts(const std::string& text) override {
    return host_.gather_texts(text);
  }
  void close() override;

 private:
  void check(ncclResult_t result, const char* call) const;
  void require_own(const at::Tensor& tensor, const char* call) const;
  using Call = std::function<ncclResult_t(cudaStream_t)>;
  /// Calls `start` after what the current stream has queued.
  void begin(const char* call, const Call& start);
  /// And the current stream waits for it.
  void in_order(const char* call, const Call& start);
  /// In place.
  Call reduction(const at::Tensor& tensor, ncclRedOp_t op) const;
  void reduce(const at::Tensor& tensor, ncclRedOp_t op);

  Communicator& host_;
  at::DeviceIndex device_;
  ncclComm_t comm_ = nullptr;
  c10::cuda::CUDAStream stream_;
  at::cuda::CUDAEvent ready_, done_;
};

NcclCommunicator::NcclCommunicator(Communicator& host, at::DeviceIndex device)
    : host_(host), device_(device), stream_(c10::cuda::getStreamFromPool(true, device)) {
  const c10::cuda::CUDAGuard guard(device_);
  ncclUniqueId id{};
  agree(host_, [&] {
    if (host_.rank() == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
  });
  const std::string text = host_.broadcast_text({id.internal, sizeof id.internal}, 0);
  std::memcpy(id.internal, text.data(), sizeof id.internal);
  check(ncclCommInitRank(&comm_, size(), id, rank()), "ncclCommInitRank");
}

void NcclCommunicator::check(ncclResult_t result, const char* call) const {
  if (result == ncclSuccess || result == ncclInProgress) return;
  const char* detail = ncclGetLastError(comm_);
  const bool outside = result == ncclRemoteError || result == ncclSystemError;
  throw Error(outside ? Exit::kPeerLost : Exit::kInternal,
              fmt::format("{} failed: {}{}{}", call, ncclGetErrorString(result),
                          detail && *detail ? ": " : "", detail ? detail : ""),
              "NCCL_DEBUG=INFO in the environment says more");
}

void NcclCommunicator::require_own(const at::Tensor& tensor, const char* call) const {
  if (!tensor.is_cuda() || tensor.get_device() != device_ || !tensor.is_contiguous())
    throw InternalError(
        fmt::format("{} over NCCL wants a contiguous tensor on cuda:{}, not {} on {}", call,
                    static_cast<int>(device_), tensor.toString(), tensor.device().str()));
}

void NcclCommunicator::begin(const char* call, const Call& start) {
  const Collective counted;  // the waiting itself is the caller's, later
  const c10::cuda::CUDAGuard guard(device_);
  ncclResult_t earlier = ncclSuccess;
  check(ncclCommGetAsyncError(comm_, &earlier), "ncclCommGetAsyncError");
  check(earlier, "an earlier NCCL call");
  ready_.record(c10::cuda::getCurrentCUDAStream(device_));
  ready_.block(stream_);
  check(start(stream_.stream()), call);
}

void NcclCommunicator::in_order(const char* call, const Call& start) {
  begin(call, start);
  finish_sums();
}

void NcclCommunicator::start_sum(at::Tensor& tensor) {
  require_own(tensor, "start_sum");
  begin("ncclAllReduce", reduction(tensor, ncclSum));
}

void NcclCommunicator::finish_sums() {
  const c10::cuda::CUDAGuard guard(device_);
  done_.record(stream_);
  done_.block(c10::cuda::getCurrentCUDAStream(device_));
}

NcclCommunicator::Call NcclCommunicator::reduction(const at::Tensor& tensor, ncclRedOp_t op) const {
  return [this, tensor, op, type = nccl_type(tensor)](cudaStream_t stream) {
    return ncclAllReduce(tensor.data_ptr(), tensor.data_ptr(), tensor.numel(), type, op, comm_,
                         stream);
  };
}

void NcclCommunicator::reduce(const at::Tensor& tensor, ncclRedOp_t op) {
  const Call call = reduction(tensor, op);
  if (tensor.numel() > 0) in_order("ncclAllReduce", call);
}

void NcclCommunicator::all_reduce(at::Tensor& tensor, Op op) {
  require_own(tensor, "all_reduce");
  if (op == Op::kSum) return reduce(tensor, ncclSum);
  if (!tensor.is_floating_point()) return reduce(tensor, ncclMax);
  at::Tensor nan = tensor.isnan().to(at::kByte);  // ncclMax drops a NaN
  reduce(tensor, ncclMax);
  reduce(nan, ncclMax);
  tensor.masked_fill_(nan.to(at::kBool), NAN);
}

void NcclCommunicator::reduce_scatter(at::Tensor& flat) {
  require_own(flat, "reduce_scatter");
  if (flat.numel() == 0) return;
  const auto share = flat.numel() / size();
  const ncclDataType_t type = nccl_type(flat);
  auto own = flat.narrow(0, rank() * share, share);
  in_order("ncclReduceScatter", [&](cudaStream_t stream) {
    return ncclReduceScatter(flat.data_ptr(), own.data_ptr(), share, type, ncclSum, comm_, stream);
  });
}

void NcclCommunicator::gather_shares(at::Tensor& flat) {
  require_own(flat, "gather_shares");
  if (flat.numel() == 0) return;
  const auto own = flat.narrow(0, rank() * (flat.numel() / size()), flat.numel() / size());
  in_order("ncclAllGather", [&](cudaStream_t stream) {
    return ncclAllGather(own.const_data_ptr(), flat.data_ptr(), own.nbytes(), ncclUint8, comm_,
                         stream);
  });
}

at::Tensor NcclCommunicator::all_gather(const at::Tensor& tensor) {
  const at::Tensor mine = tensor.contiguous();
  require_own(mine, "all_gather");
  if (mine.dim() == 0) throw InternalError("all_gather of a tensor without dimensions");
  std::vector<std::int64_t> shape = mine.sizes().vec();
  shape[0] *= size();
  at::Tensor all = at::empty(shape, mine.options());
  if (mine.numel() == 0) return all;
  in_order("ncclAllGather", [&](cudaStream_t stream) {
    return ncclAllGather(mine.const_data_ptr(), all.data_ptr(), mine.nbytes(), ncclUint8, comm_,
                         stream);
  });
  return all;
}

void NcclCommunicator::broadcast(at::Tensor& tensor, int root) {
  require_own(tensor, "broadcast");
  if (tensor.numel() == 0) return;
  in_order("ncclBroadcast", [&](cudaStream_t stream) {
    return ncclBroadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.nbytes(), ncclUint8, root,
                         comm_, stream);
  });
}

void NcclCommunicator::barrier() {
  c10::cuda::getCurrentCUDAStream(device_).synchronize();
  host_.barrier();
}

void NcclCommunicator::close() {
  stream_.synchronize();
  check(ncclCommDestroy(comm_), "ncclCommDestroy");
  comm_ = nullptr;
}

/// Ranks that see the same devices take the one of their place; a rank that sees a single device
/// (Slurm's --gpus-per-task=1) takes that.
at::DeviceIndex choose_device(const World& world) {
  const int count = c10::cuda::device_count();
  if (count == 0)
    throw UsageError("no CUDA device is visible on " + world.host,
                     "run on the CPU, or look at nvidia-smi and CUDA_VISIBLE_DEVICES");
  if (count > 1 && world.local_rank >= count)
    throw UsageError(
        fmt::format("{} ranks on {}, but {} CUDA devices", world.local_size, world.host, count),
        "start one rank a device");
  return static_cast<at::DeviceIndex>(count == 1 ? 0 : world.local_rank);
}

/// NCCL's own refusal of two ranks on one device names neither.
void require_distinct_devices(const World& world, at::DeviceIndex device) {
  const auto& uuid = at::cuda::getDeviceProperties(device)->uuid.bytes;
  const std::vector<std::string> all =
      world.host_world->gather_texts(world.host + std::string(uuid, sizeof uuid));
  agree(*world.host_world, [&] {
    for (int other = 0; other < world.rank; ++other)
      if (all[other] == all[world.rank])
        throw Error(Exit::kUsage,
                    fmt::format("this rank and rank {} share one CUDA device of {}", other,
                                world.host),
                    "start one rank a device");
  });
}

}  // namespace

void use_cuda(World& world) {
  at::DeviceIndex device = 0;
  agree(*world.host_world, [&] { device = choose_device(world); });
  require_distinct_devices(world, device);
  c10::cuda::set_device(device);
  world.device_world = std::make_unique<NcclCommunicator>(*world.host_world, device);
  world.device = at::Device(at::kCUDA, device);
  log::debug("cuda:{} on {}: {}", static_cast<int>(device), world.host,
             at::cuda::getDeviceProperties(device)->name);
}

}  // namespace cellmill::comm
