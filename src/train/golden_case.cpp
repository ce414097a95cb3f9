#include "train/golden_case.h"

#include <ATen/ATen.h>

#include <cstring>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace cellmill::train {
namespace {

using io::Json;

at::Tensor tensor_of(const io::RawTensor& raw, const std::string& file, const std::string& name) {
  const std::map<std::string, at::ScalarType> types = {
      {"F32", at::kFloat}, {"F64", at::kDouble}, {"I64", at::kLong}};
  const auto type = types.find(raw.dtype);
  if (type == types.end()) {
    throw DataError({file, "tensor " + name, "F32, F64 or I64", raw.dtype},
                    "type of a golden tensor");
  }
  auto tensor = at::empty(raw.shape, type->second);
  std::memcpy(tensor.mutable_data_ptr(), raw.bytes.data(), raw.bytes.size());
  return tensor;
}

void add_field(data::Vocabulary& vocabulary, const std::string& name, std::int64_t categories) {
  data::Field field{name, {}};
  for (std::int64_t c = 0; c < categories; ++c) field.categories.push_back(std::to_string(c));
  vocabulary.fields.push_back(field);
}

void add_genes(data::Vocabulary& vocabulary, std::int64_t genes) {
  for (std::int64_t g = 0; g < genes; ++g) vocabulary.genes.push_back("g" + std::to_string(g));
}

void read_cycle(const Json& c, GoldenCase& golden) {
  auto& o = golden.options;
  const std::string mode = c["mode"];
  if (c["pool_update"] != "lazy") golden.unsupported = "pool_update: dense is not offered";
  if (mode == "two_side_pools") golden.unsupported = "a second pool of networks is not offered";
  if (c["int_hidden"] != "content")
    golden.unsupported = "integration behind the networks is not offered";
  add_genes(golden.vocabulary, c["n_genes"]);
  for (const auto& [name, categories] : c["fields"].items()) {
    add_field(golden.vocabulary, name, categories);
  }
  o.latent = c["latent"];
  o.classifier_hidden = c["clf_hidden"].get<std::vector<std::int64_t>>();
  o.head.route = mode == "target_ffn" ? "target" : "source_and_target";
  o.head.ffn = c["ffn"];
  o.head.encoder_bias = c["enc_bias"];
  o.head.decoder_bias = c["dec_bias"];
  o.head.scale = c["scale"];
  o.loss.reconstruction = c["w_rec"];
  o.loss.integration = c["w_int"];
  o.loss.target = c["w_tgt"];
  o.loss.reconstruction_over = c["rec_reduction"];
  o.loss.integration_heads = c["int_heads"];
  o.loss.labels_over = c["ce_norm"] == "batch" ? "batch" : "known";
  o.optimiser.learning_rate = c["lr"];
  o.optimiser.classifier_learning_rate = c["lr_clf"];
  o.optimiser.beta1 = c["betas"][0];
  o.optimiser.beta2 = c["betas"][1];
  o.optimiser.epsilon = c["eps"];
}

void read_original(const Json& c, GoldenCase& golden) {
  auto& o = golden.options;
  golden.original = true;
  add_genes(golden.vocabulary, c["genes"]);
  for (const auto& field : c["fields"]) add_field(golden.vocabulary, field[0], field[1]);
  o.latent = c["latent"];
  o.classifier_hidden = {c["classifier_hidden"].get<std::int64_t>()};
  o.head = {"source_and_target", "linear", false, false, false, c["scale"], "zero", {}};
  o.loss.reconstruction_over = "mean";
  o.loss.integration_over = "sum";
  o.loss.reconstruction = c["w_reconstruction"];
  o.loss.integration = c["w_integration"];
  o.loss.target = c["w_target"];
  o.non_negative = c["non_negative"];
  o.optimiser.learning_rate = c["lr"];
  o.optimiser.classifier_learning_rate = c["lr_classifier"];
  o.optimiser.base_weight_decay = c["wd_base"];
  o.optimiser.head_weight_decay = c["wd_metadata"];
  o.optimiser.clip_norm = c["clip"];
}

}  // namespace

GoldenCase read_golden(const std::string& path) {
  const auto file = io::read_safetensors(path);
  GoldenCase golden;
  const auto config = file.metadata.find("config");
  if (config == file.metadata.end()) {
    throw DataError({path, "__metadata__", "config", "none"}, "not a golden case");
  }
  try {
    const auto json = Json::parse(config->second);
    json.contains("mode") ? read_cycle(json, golden) : read_original(json, golden);
  } catch (const Json::exception& error) {
    throw DataError({path, "__metadata__ config", "", ""}, error.what());
  }
  for (const auto& [name, raw] : file.tensors) {
    golden.tensors[name] = tensor_of(raw, path, name);
  }
  golden.dtype = golden.tensors.at("param0/base.weight").scalar_type();
  return golden;
}

data::Batch GoldenCase::batch(int step) const {
  const std::string at = "batch" + std::to_string(step) + "/";
  data::Batch batch;
  batch.indptr = tensors.at(at + "indptr");
  batch.indices = tensors.at(at + "indices");
  batch.values = tensors.at(at + "values");
  batch.labels = tensors.at(at + "source");
  batch.cells = at::arange(batch.labels.size(0), at::kLong);
  batch.genes = static_cast<std::int64_t>(vocabulary.genes.size());
  batch.global_cells = batch.labels.size(0);
  batch.step = step;
  return batch;
}

std::string GoldenCase::parameter_name(const std::string& ours) const {
  const auto replace = [](std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  };
  if (original) {
    if (ours.starts_with("ffn."))
      return replace(replace(ours, "ffn.", "pool."), "weight1", "weight");
    return replace(ours, "classifier.hidden.0.", "classifier.hidden.");
  }
  if (ours.starts_with("encoder.")) return replace(ours, "encoder.", "enc.");
  if (ours.starts_with("decoder.")) return replace(ours, "decoder.", "dec.");
  if (ours.starts_with("ffn.")) return replace(replace(ours, ".weight", ".w"), ".bias", ".b");
  if (ours.starts_with("classifier.hidden."))
    return replace(ours, "classifier.hidden.", "clf.trunk.");
  return replace(ours, "classifier.", "clf.head.");
}

}  // namespace cellmill::train
