// Embeddings of small models against transformers' own: the cases of ../shared/golden/rank_encoder,
// where they are.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "infer/embedding.h"
#include "io/safetensors.h"
#include "models/hugging_face.h"
#include "models/rank_encoder.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders() {
  const fs::path root =
      fs::path(TEST_DATA).parent_path().parent_path().parent_path() / "shared/golden/rank_encoder";
  std::vector<fs::path> found;
  for (const char* name : {"relu", "gelu", "relu_v2"})
    if (fs::exists(root / name / "case.f32.safetensors")) found.push_back(root / name);
  return found;
}

at::Tensor tensor_of(const io::Safetensors& file, const std::string& name) {
  const auto& raw = file.tensors.at(name);
  at::Tensor t = at::empty(raw.shape, raw.dtype == "I64" ? at::kLong : at::kFloat);
  std::copy(raw.bytes.begin(), raw.bytes.end(), static_cast<std::uint8_t*>(t.mutable_data_ptr()));
  return t;
}

data::Sequences cells_of(const io::Safetensors& file) {
  const at::Tensor ids = tensor_of(file, "input_ids"), lengths = tensor_of(file, "lengths");
  data::Sequences cells;
  for (std::int64_t i = 0; i < ids.size(0); ++i) {
    std::vector<std::int32_t> cell;
    for (std::int64_t k = 0; k < lengths[i].item<std::int64_t>(); ++k)
      cell.push_back(ids[i][k].item<std::int32_t>());
    cells.append(cell);
  }
  return cells;
}

double least_cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a.to(at::kDouble), b.to(at::kDouble), 1).min().item<double>();
}

}  // namespace

CATCH_TEST_CASE("embeddings are those of transformers in both conventions, by every method") {
  if (folders().empty()) CATCH_WARN("../shared/golden/rank_encoder is not there: not run");
  for (const auto& folder : folders()) {
    CATCH_INFO(folder.string());
    const bool v2 = folder.filename() == "relu_v2";
    const auto file = io::read_safetensors((folder / "case.f32.safetensors").string());
    auto options = models::read_hugging_face_options(folder);
    options.special_tokens = v2;
    auto dictionary = models::unnamed_dictionary(options.vocabulary);
    if (v2) dictionary.cls = 2, dictionary.eos = 3;
    models::RankEncoder encoder(options, dictionary, nullptr, 0, at::kFloat);
    models::read_hugging_face_weights(folder, encoder.network());
    const auto cells = cells_of(file);
    for (const auto convention : {LayerConvention::kUpstream, LayerConvention::kHelical})
      for (const auto pooling : {Pooling::kCell, Pooling::kCls}) {
        if (pooling == Pooling::kCls && !v2) continue;
        const auto name = std::string(pooling == Pooling::kCell ? "cell." : "cls.") +
                          (convention == LayerConvention::kUpstream ? "upstream" : "helical");
        const at::Tensor wanted = tensor_of(file, name);
        EmbeddingOptions how;
        how.pooling = pooling;
        how.layer = hidden_layer(-1, convention, encoder.layers());
        for (const auto method : {Method::kPacked, Method::kBaseline, Method::kBatching}) {
          how.method = method;
          const at::Tensor found = Embedder(encoder, how).embed(cells);
          CATCH_CHECK(at::allclose(found, wanted, 1e-5, 1e-5));
          CATCH_CHECK(least_cosine(found, wanted) > 0.9999);
        }
        how.method = Method::kMixedPrecision;
        CATCH_CHECK(least_cosine(Embedder(encoder, how).embed(cells), wanted) > 0.999);
        how.method = Method::kPacked;
        how.precision = at::kBFloat16;
        CATCH_CHECK(least_cosine(Embedder(encoder, how).embed(cells), wanted) > 0.999);
      }
  }
}

}  // namespace cellmill::infer
