#include "models/golden/golden_case.h"

#include <ATen/ATen.h>

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace cellmill::models {
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

/// How far the writer's own float32 and float64 differ, which the index beside its files says.
double float32_differs(const std::string& path, const std::string& name) {
  const auto index = std::filesystem::path(path).parent_path() / "index.json";
  if (!std::filesystem::exists(index)) return 0;
  const auto json = Json::parse(io::read_text(index.string()));
  return json.contains(name) ? json[name].value("f32_vs_f64_worst_rel", 0.) : 0;
}

}  // namespace

std::unique_ptr<GoldenCase> read_golden(const std::string& path, const std::string& compute) {
  const auto file = io::read_safetensors(path);
  const auto text = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  const auto folder = std::filesystem::path(path).parent_path();
  const bool beside_a_model = std::filesystem::exists(folder / "config.json");
  if (text("config").empty() && !beside_a_model)
    throw DataError({path, "__metadata__", "config", "none"}, "not a golden case");
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, raw] : file.tensors) tensors[name] = tensor_of(raw, path, name);
  if (text("config").empty()) return read_rank_case(folder, std::move(tensors));
  try {
    const auto config = Json::parse(text("config"));
    if (text("format").starts_with("factor-golden"))
      return read_factor_case(config, std::move(tensors), float32_differs(path, text("case")));
    return read_cycle_case(config, std::move(tensors), compute);
  } catch (const Json::exception& error) {
    throw DataError({path, "__metadata__ config", "", ""}, error.what());
  }
}

}  // namespace cellmill::models
