#pragma once
// Hugging Face's safetensors: named raw arrays behind a JSON header. Every offset is checked
// against shape, dtype and file size; arrays must fill the data without gap or overlap. Errors are
// DataError. Format: huggingface/safetensors README.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cellmill::io {

struct RawTensor {
  std::string dtype;  ///< F32 F64 F16 BF16 I64 I32 U8 BOOL ...
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, RawTensor> tensors;
};

Safetensors read_safetensors(const std::string& path);
void write_safetensors(const std::string& path, const Safetensors& content);  ///< atomically

}  // namespace cellmill::io
