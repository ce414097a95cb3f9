#include "models/rank_encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "../expect.h"
#include "io/files.h"
#include "io/safetensors.h"
#include "models/hugging_face.h"
#include "models/rank_cost.h"

namespace cellmill::models {
namespace {

using Catch::Contains;
namespace fs = std::filesystem;

RankEncoderOptions tiny() {
  RankEncoderOptions o;
  o.layers = 2, o.hidden = 8, o.heads = 2, o.intermediate = 12, o.max_length = 20;
  o.initializer_range = 0.5;
  return o;
}

data::Vocabulary genes(int count) {
  data::Vocabulary v;
  for (int g = 0; g < count; ++g) v.genes.push_back("G" + std::to_string(g));
  return v;
}

RankEncoder encoder(const RankEncoderOptions& options, std::uint64_t seed = 1) {
  const auto vocabulary = genes(15);
  return {options, rank_dictionary(options, vocabulary), &vocabulary, seed, at::kFloat};
}

data::Sequences some_sequences() {
  data::Sequences s;
  s.append(std::vector<std::int32_t>{5, 3, 9, 16});
  s.append(std::vector<std::int32_t>{7});
  s.append(std::vector<std::int32_t>{2, 4, 6, 8, 10, 12, 14});
  return s;
}

/// Genes 0, 1 and 2 of cell 4, none of cell 5.
data::Batch two_cells() {
  data::Batch batch;
  batch.indptr = at::tensor({0, 3, 3}, at::kLong);
  batch.indices = at::tensor({0, 1, 2}, at::kInt);
  batch.values = at::tensor({1.f, 5.f, 2.f});
  batch.labels = at::zeros({2, 0}, at::kLong);
  batch.cells = at::tensor({4, 5}, at::kLong);
  batch.genes = 15;
  batch.global_cells = 2;
  return batch;
}

void edit_config(const fs::path& folder, const std::string& from, const std::string& to) {
  auto text = io::read_text(folder / "config.json");
  const auto at = text.find(from);
  CATCH_REQUIRE(at != std::string::npos);
  io::write_text_atomically(folder / "config.json", text.replace(at, from.size(), to));
}

void check_same_weights(RankEncoder& a, RankEncoder& b) {
  const auto ours = a.network().hugging_face(), theirs = b.network().hugging_face();
  for (std::size_t k = 0; k < ours.size(); ++k) {
    CATCH_INFO(ours[k].first);
    CATCH_CHECK(ours[k].second.equal(theirs[k].second));
  }
}

}  // namespace

CATCH_TEST_CASE("cells become sequences of the data's own genes, highest count first") {
  auto model = encoder(tiny());
  const auto sequences = model.sequences(two_cells());
  CATCH_CHECK(sequences.tokens == std::vector<std::int32_t>{3, 4, 2});
  CATCH_CHECK(sequences.offsets == std::vector<std::int64_t>{0, 3, 3});
}

CATCH_TEST_CASE("masked genes: fractions, and a function of the cell alone") {
  const auto vocabulary = genes(500);
  auto options = tiny();
  options.special_tokens = true;
  const auto dictionary = rank_dictionary(options, vocabulary);
  const GeneMasking masking({0.15, 0.8, 0.1}, dictionary);
  data::Sequences whole;
  std::vector<std::int32_t> cell = {dictionary.cls};
  for (std::int32_t t = 4; t < 504; ++t) cell.push_back(t);
  cell.push_back(dictionary.eos);
  for (int i = 0; i < 200; ++i) whole.append(cell);
  const auto cells = at::arange(200, at::kLong);
  const auto masked = masking(whole, cells, 3, 1);

  const auto places = masked.places.size();
  CATCH_CHECK(std::abs(static_cast<double>(places) / 1e5 - 0.15) < 0.005);
  double hidden = 0, kept = 0;
  for (std::size_t k = 0; k < places; ++k) {
    const auto at = static_cast<std::size_t>(masked.places[k]);
    CATCH_REQUIRE(masked.targets[k] == whole.tokens[at]);
    const auto shown = masked.shown.tokens[at];
    CATCH_REQUIRE((shown == dictionary.mask || dictionary.is_gene(shown)));
    hidden += shown == dictionary.mask;
    kept += shown == whole.tokens[at];
  }
  CATCH_CHECK(std::abs(hidden / static_cast<double>(places) - 0.8) < 0.015);
  CATCH_CHECK(std::abs(kept / static_cast<double>(places) - 0.1) < 0.015);
  for (std::size_t i = 0; i < 200; ++i) {
    const auto sequence = masked.shown[static_cast<std::int64_t>(i)];
    CATCH_REQUIRE((sequence.front() == dictionary.cls && sequence.back() == dictionary.eos));
  }

  data::Sequences one;
  one.append(cell);
  const auto alone = masking(one, at::tensor({7}, at::kLong), 3, 1);
  const auto in_batch = masked.shown[7];
  CATCH_CHECK(std::equal(in_batch.begin(), in_batch.end(), alone.shown.tokens.begin()));
  CATCH_CHECK(masking(one, at::tensor({7}, at::kLong), 3, 2).places != alone.places);
  CATCH_CHECK(masking(one, at::tensor({8}, at::kLong), 3, 1).places != alone.places);
  CATCH_CHECK(masking(one, at::tensor({7}, at::kLong), 4, 1).places != alone.places);
}

CATCH_TEST_CASE("packed and padded hidden states agree at every layer") {
  auto options = tiny();
  options.activation = GENERATE("relu", "gelu");
  auto model = encoder(options);
  const auto s = some_sequences();
  for (std::int64_t k = 0; k <= 2; ++k) {
    const auto packed = model.encode(s, k).clone();
    CATCH_CHECK(packed.sizes() == at::IntArrayRef({12, 8}));
    const auto padded = model.encode_padded(s, k, at::kFloat);
    CATCH_CHECK((packed - padded).abs().max().item<float>() < 1e-5f);
    const at::NoGradGuard no_gradients;
    const auto tokens = at::tensor(at::ArrayRef<std::int32_t>(s.tokens), at::kInt);
    const auto plain = model.network().hidden(tokens, s.offsets, k);
    CATCH_CHECK((packed - plain).abs().max().item<float>() < 1e-5f);
  }
  model.freeze(at::kBFloat16);
  const auto half = model.encode(s, 2).clone();
  CATCH_CHECK(half.scalar_type() == at::kFloat);
  const auto whole = model.encode_padded(s, 2, at::kFloat);
  const auto cosines = at::cosine_similarity(half, whole, 1, 1e-8);
  CATCH_CHECK(cosines.min().item<float>() > 0.999f);
  CATCH_CHECK_FALSE(half.equal(whole));
}

CATCH_TEST_CASE("the loss is the mean over the masked genes of the global batch") {
  auto options = tiny();
  options.mask.fraction = 1;
  options.dropout = {0, 0};
  auto model = encoder(options);
  StepContext context;
  const auto alone = model.losses(two_cells(), context).terms.at(0);
  CATCH_CHECK(alone.name == "masked_genes");
  CATCH_CHECK(alone.value.item<float>() > 0);
  context.sum_over_ranks = [](at::Tensor& sum) {
    CATCH_CHECK(sum.item<double>() == 3);
    sum.mul_(4);
  };
  const auto shared = model.losses(two_cells(), context).terms.at(0);
  CATCH_CHECK(shared.value.item<float>() == Approx(alone.value.item<float>() / 4));
  auto empty = two_cells();
  empty.indptr = at::zeros({3}, at::kLong);
  empty.indices = at::empty({0}, at::kInt);
  empty.values = at::empty({0});
  const auto none = model.losses(empty, {}).terms.at(0).value;
  CATCH_CHECK(none.item<float>() == 0);
  CATCH_CHECK(none.requires_grad());
}

CATCH_TEST_CASE("biases and layer norms do not decay") {
  auto model = encoder(tiny());
  std::int64_t decaying = 0;
  const auto groups = model.groups();
  for (const auto& p : groups.at(0).parameters) {
    CATCH_CHECK((p.weight_decay > 0) == (p.value.dim() == 2));
    decaying += p.weight_decay > 0;
  }
  CATCH_CHECK(decaying == 3 + 2 * 4 + 1);
}

CATCH_TEST_CASE("a Hugging Face folder holds the whole model, as others store it too") {
  Scratch scratch;
  auto model = encoder(tiny());
  write_hugging_face(scratch.folder, model.network(), 0);
  const auto read = read_hugging_face_options(scratch.folder);
  CATCH_CHECK(read.vocabulary == 17);
  CATCH_CHECK(read.max_length == 20);
  CATCH_CHECK(read.activation == "relu");
  auto other = encoder(tiny(), 2);
  CATCH_CHECK(read_hugging_face_weights(scratch.folder, other.network()));
  check_same_weights(other, model);

  const auto file = (scratch.folder / "model.safetensors").string();
  auto content = io::read_safetensors(file);
  content.tensors["cls.predictions.decoder.weight"] =
      content.tensors.at("bert.embeddings.word_embeddings.weight");
  content.tensors["bert.pooler.dense.bias"] = content.tensors.at("cls.predictions.bias");
  content.tensors["bert.embeddings.position_ids"] = {"I64", {1}, std::vector<std::uint8_t>(8)};
  io::write_safetensors(file, content);
  auto third = encoder(tiny(), 3);
  CATCH_CHECK(read_hugging_face_weights(scratch.folder, third.network()));
  check_same_weights(third, model);

  content.tensors["cls.predictions.decoder.weight"].bytes[0] ^= 1;
  io::write_safetensors(file, content);
  CATCH_CHECK_THAT(error_of([&] { read_hugging_face_weights(scratch.folder, third.network()); }),
                   Contains("65 ") && Contains("tensor cls.predictions.decoder.weight") &&
                       Contains("tied to the word embeddings"));

  io::Safetensors bare;  // as an encoder without head is saved
  for (const auto& [name, raw] : content.tensors)
    if (name.starts_with("bert.")) bare.tensors[name.substr(5)] = raw;
  io::write_safetensors(file, bare);
  auto headless = encoder(tiny(), 4);
  CATCH_CHECK_FALSE(read_hugging_face_weights(scratch.folder, headless.network()));
  CATCH_CHECK(headless.network().embedding().words.equal(model.network().embedding().words));
}

CATCH_TEST_CASE("what does not fit a Hugging Face folder is named") {
  Scratch scratch;
  auto model = encoder(tiny());
  const auto& folder = scratch.folder;
  const auto read_weights = [&] { read_hugging_face_weights(folder, model.network()); };
  CATCH_CHECK_THAT(error_of([&] { read_hugging_face_options(folder); }), Contains("66 "));
  write_hugging_face(folder, model.network(), 0);
  const auto file = (folder / "model.safetensors").string();
  auto content = io::read_safetensors(file);
  const std::string name = "bert.encoder.layer.1.attention.self.key.weight";
  auto& key = content.tensors.at(name);
  key.shape = {4, 16};
  io::write_safetensors(file, content);
  CATCH_CHECK_THAT(error_of(read_weights), Contains("65 ") && Contains("tensor " + name) &&
                                               Contains("expected 8 x 8") &&
                                               Contains("found 4 x 16"));
  content.tensors.erase(name);
  io::write_safetensors(file, content);
  CATCH_CHECK_THAT(error_of(read_weights), Contains("tensor " + name) && Contains("found none"));
  fs::remove(file);
  CATCH_CHECK_THAT(error_of(read_weights), Contains("66 ") && Contains("save_pretrained()"));

  edit_config(folder, "\"relu\"", "\"gelu_new\"");
  CATCH_CHECK_THAT(
      error_of([&] { read_hugging_face_options(folder); }),
      Contains("hidden_act") && Contains("expected gelu or relu") && Contains("gelu_new"));
  edit_config(folder, "\"gelu_new\"", "\"relu\"");
  edit_config(folder, "\"num_attention_heads\": 2", "\"num_attention_heads\": 3");
  CATCH_CHECK_THAT(error_of([&] { read_hugging_face_options(folder); }),
                   Contains("num_attention_heads"));
}

CATCH_TEST_CASE("a run starts from a folder of its own shape alone") {
  Scratch scratch;
  auto model = encoder(tiny());
  write_hugging_face(scratch.folder, model.network(), 0);
  auto options = tiny();
  options.start_from = scratch.folder.string();
  auto started = encoder(options, 5);
  started.start();
  check_same_weights(started, model);
  options.layers = 3;
  auto other = encoder(options, 5);
  CATCH_CHECK_THAT(error_of([&] { other.start(); }), Contains("78 ") && Contains("another shape") &&
                                                         Contains("layers: 2 (and not 3)"));
}

CATCH_TEST_CASE("the cost of a step counts the parameters that there are") {
  for (auto options : {tiny(), RankEncoderOptions{}}) {
    const RankNetwork network(
        [&] {
          options.vocabulary = 25426;
          return options;
        }(),
        {}, at::kFloat);
    double parameters = 0;
    for (const auto& p : network.parameters()) parameters += static_cast<double>(p.value.numel());
    const StepShape shape{.cells = 2, .nonzeros = 30};
    CATCH_CHECK(rank_step_forms(options, 25426, shape).forms.at(0).cost.parameters == parameters);
  }
}

CATCH_TEST_CASE("gf-6L-10M-i2048 has the published number of parameters") {
  RankEncoderOptions options;
  options.vocabulary = 25426;
  const RankNetwork network(options, {}, at::kFloat);
  std::int64_t parameters = 0;
  for (const auto& p : network.parameters()) parameters += p.value.numel();
  CATCH_CHECK(parameters == 10288722);
}

}  // namespace cellmill::models
