#include "models/hugging_face.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/strict_json.h"

namespace cellmill::models {
namespace {

namespace fs = std::filesystem;
using io::Json;

constexpr const char* kConfig = "config.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kPrefix = "bert.";
constexpr const char* kHead = "cls.predictions.";

/// config.json, by key.
class Settings {
 public:
  explicit Settings(const fs::path& file) : file_(file.string()) {
    json_ = Json::parse(io::read_text(file), &io::shallow<Json>, false);
    if (!json_.is_object()) throw DataError({file_, {}, {}, {}}, "is no JSON object");
  }
  std::int64_t whole(const char* key, std::int64_t low) const {
    try {
      const auto value = io::whole<std::int64_t>(json_.at(key));
      if (value >= low) return value;
    } catch (const Json::exception&) {
    }
    throw refusal(key, fmt::format("a whole number of at least {}", low));
  }
  double real(const char* key, double otherwise) const {
    if (!json_.contains(key)) return otherwise;
    if (!json_[key].is_number()) throw refusal(key, "a number");
    return json_[key].get<double>();
  }
  /// The value, one of `allowed`; the first where there is none.
  std::string word(const char* key, const std::vector<std::string>& allowed) const {
    if (!json_.contains(key) || json_[key].is_null()) return allowed.front();
    for (const auto& value : allowed)
      if (json_[key] == value) return value;
    throw refusal(key, fmt::format("{}", fmt::join(allowed, " or ")));
  }
  void expect(const char* key, bool value) const {
    if (json_.contains(key) && json_[key] != value) throw refusal(key, value ? "true" : "false");
  }

 private:
  DataError refusal(const char* key, const std::string& expected) const {
    const auto found = json_.contains(key) ? json_[key].dump() : "none";
    return DataError({file_, key, expected, found}, "describes another model than a BERT encoder");
  }
  std::string file_;
  Json json_;
};

at::ScalarType dtype_of(const std::string& name, const io::RawTensor& raw, const fs::path& file) {
  if (raw.dtype == "F32") return at::kFloat;
  if (raw.dtype == "F16") return at::kHalf;
  if (raw.dtype == "BF16") return at::kBFloat16;
  if (raw.dtype == "F64") return at::kDouble;
  throw DataError({file.string(), "tensor " + name, "F32, F16, BF16 or F64", raw.dtype},
                  "is of a type that weights do not have");
}

std::string text_of(at::IntArrayRef shape) { return fmt::format("{}", fmt::join(shape, " x ")); }

/// What files carry beside the parameters, and nothing here uses.
bool is_unused(std::string_view name) {
  for (const char* part : {"pooler.", "position_ids", "cls.seq_relationship.", "token_type_ids"})
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

void refuse_untied(const io::Safetensors& content, const std::string& decoder,
                   const std::string& tied_to, const fs::path& file) {
  const auto copy = content.tensors.find(decoder), own = content.tensors.find(tied_to);
  if (copy == content.tensors.end() || own == content.tensors.end()) return;
  if (copy->second.shape != own->second.shape || copy->second.bytes != own->second.bytes)
    throw DataError({file.string(), "tensor " + decoder, "the values of " + tied_to, "others"},
                    "has a decoder of its own; here it is tied to the word embeddings");
}

}  // namespace

RankEncoderOptions read_hugging_face_options(const fs::path& folder) {
  const Settings settings(folder / kConfig);
  settings.word("model_type", {"bert"});
  settings.word("position_embedding_type", {"absolute"});
  settings.expect("tie_word_embeddings", true);
  settings.expect("is_decoder", false);
  RankEncoderOptions o;
  o.vocabulary = settings.whole("vocab_size", 2);
  o.layers = settings.whole("num_hidden_layers", 1);
  o.hidden = settings.whole("hidden_size", 1);
  o.heads = settings.whole("num_attention_heads", 1);
  o.intermediate = settings.whole("intermediate_size", 1);
  o.max_length = settings.whole("max_position_embeddings", 1);
  o.type_vocabulary = settings.whole("type_vocab_size", 1);
  o.activation = settings.word("hidden_act", {"gelu", "relu"});
  o.layer_norm_eps = settings.real("layer_norm_eps", 1e-12);
  o.initializer_range = settings.real("initializer_range", 0.02);
  o.dropout = {settings.real("hidden_dropout_prob", 0.1),
               settings.real("attention_probs_dropout_prob", 0.1)};
  if (o.hidden % o.heads != 0)
    throw DataError({(folder / kConfig).string(), "num_attention_heads",
                     fmt::format("a divisor of hidden_size {}", o.hidden), std::to_string(o.heads)},
                    "describes no model");
  return o;
}

bool read_hugging_face_weights(const fs::path& folder, RankNetwork& network) {
  const auto file = folder / kWeights;
  if (!fs::exists(file))
    throw DataError({file.string(), {}, {}, {}}, "no such file",
                    "weights in another form: load them in Python with transformers and "
                    "save_pretrained() them",
                    Exit::kNoInput);
  auto content = io::read_safetensors(file);
  bool prefixed = false, has_head = false;
  for (const auto& [name, raw] : content.tensors) {
    prefixed = prefixed || name.starts_with(kPrefix);
    has_head = has_head || name.starts_with(std::string(kHead) + "transform.");
  }
  const std::string words =
      std::string(prefixed ? kPrefix : "") + "embeddings.word_embeddings.weight";
  refuse_untied(content, std::string(kHead) + "decoder.weight", words, file);
  refuse_untied(content, std::string(kHead) + "decoder.bias", std::string(kHead) + "bias", file);

  const at::NoGradGuard no_gradients;
  std::set<std::string> used = {std::string(kHead) + "decoder.weight",
                                std::string(kHead) + "decoder.bias"};
  for (auto& [name, target] : network.hugging_face()) {
    if (!has_head && name.starts_with(kHead)) continue;
    const auto stored = prefixed || !name.starts_with(kPrefix) ? name : name.substr(5);
    const auto found = content.tensors.find(stored);
    if (found == content.tensors.end() || found->second.shape != target.sizes().vec())
      throw DataError({file.string(), "tensor " + stored, text_of(target.sizes()),
                       found == content.tensors.end() ? "none" : text_of(found->second.shape)},
                      "does not fit the model");
    auto& raw = found->second;
    target.copy_(at::from_blob(raw.bytes.data(), raw.shape, dtype_of(stored, raw, file)));
    used.insert(stored);
  }
  for (const auto& [name, raw] : content.tensors)
    if (!used.contains(name) && !is_unused(name))
      log::warn("{}: tensor {} is not used", file.string(), name);
  if (!has_head) log::warn("{}: has no head of masked genes", file.string());
  return has_head;
}

void write_hugging_face(const fs::path& folder, const RankNetwork& network, std::int64_t pad) {
  const auto& o = network.options();
  io::Safetensors content;
  content.metadata["format"] = "pt";
  for (const auto& [name, value] : network.hugging_face()) {
    const auto plain = value.to(at::kCPU, at::kFloat).contiguous();
    auto& raw = content.tensors[name];
    raw = {"F32", plain.sizes().vec(), std::vector<std::uint8_t>(plain.nbytes())};
    std::memcpy(raw.bytes.data(), plain.const_data_ptr(), plain.nbytes());
  }
  const Json config = {{"architectures", {"BertForMaskedLM"}},
                       {"model_type", "bert"},
                       {"vocab_size", o.vocabulary},
                       {"num_hidden_layers", o.layers},
                       {"hidden_size", o.hidden},
                       {"num_attention_heads", o.heads},
                       {"intermediate_size", o.intermediate},
                       {"max_position_embeddings", o.max_length},
                       {"type_vocab_size", o.type_vocabulary},
                       {"hidden_act", o.activation},
                       {"layer_norm_eps", o.layer_norm_eps},
                       {"initializer_range", o.initializer_range},
                       {"hidden_dropout_prob", o.dropout.hidden},
                       {"attention_probs_dropout_prob", o.dropout.attention},
                       {"pad_token_id", pad},
                       {"position_embedding_type", "absolute"},
                       {"tie_word_embeddings", true},
                       {"dtype", "float32"}};
  fs::create_directories(folder);
  io::write_safetensors((folder / kWeights).string(), content);
  io::write_text_atomically(folder / kConfig, config.dump(2) + "\n");
}

}  // namespace cellmill::models
