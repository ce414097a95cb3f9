#include "train/bucketed_sum.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <utility>

namespace cellmill::train {

namespace autograd = torch::autograd;

struct BucketedSum::Hook : autograd::PostAccumulateGradHook {
  Hook(BucketedSum& sum, std::size_t bucket) : sum(sum), bucket(bucket) {}
  void operator()(const autograd::Variable&) override { sum.arrived(bucket); }
  BucketedSum& sum;
  std::size_t bucket;
};

BucketedSum::BucketedSum(const std::vector<AdamW>& optimisers, comm::Communicator& world,
                         std::int64_t bucket_bytes)
    : world_(world) {
  for (auto optimiser = optimisers.rbegin(); optimiser != optimisers.rend(); ++optimiser)
    for (auto& content : optimiser->buckets(bucket_bytes)) buckets_.push_back({std::move(content)});
  for (std::size_t k = 0; k < buckets_.size(); ++k)
    for (const auto& parameter : buckets_[k].content.parameters)
      autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<Hook>(*this, k));
}

BucketedSum::~BucketedSum() {
  for (const auto& bucket : buckets_)
    for (const auto& parameter : bucket.content.parameters)
      autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
}

void BucketedSum::arm() {
  for (auto& bucket : buckets_) bucket.missing = bucket.content.parameters.size();
  next_ = 0;
  armed_ = true;
}

void BucketedSum::arrived(std::size_t bucket) {
  if (!armed_) return;
  --buckets_[bucket].missing;
  start_ready();
}

void BucketedSum::start_ready() {
  for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_)
    world_.start_sum(buckets_[next_].content.gradient);
}

void BucketedSum::finish() {
  armed_ = false;
  for (auto& bucket : buckets_) bucket.missing = 0;
  start_ready();
  world_.finish_sums();
}

}  // namespace cellmill::train
