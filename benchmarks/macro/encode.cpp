// Embeds cells that are tokens already, again and again, as its input says: what
// benchmarks/macro/rank_encoder.py times beside transformers.
//   bench_encode MODEL TOKENS THREADS [cpu | cuda]
// MODEL is a Hugging Face folder; TOKENS holds tokens.npy and offsets.npy (cell i: tokens
// [offsets[i], offsets[i + 1])). A line of input, "METHOD PRECISION LAYER TOKENS FILE", embeds all
// cells once: METHOD packed, or padded (10 cells a batch); PRECISION float32 or bfloat16;
// hidden_states[LAYER], meaned over a cell's tokens; packed, TOKENS a batch at most. Their float32
// values go to FILE, and the seconds that embedding took to the output.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>

#include "base/stopwatch.h"
#include "io/files.h"
#include "io/npz.h"
#include "models/hugging_face.h"
#include "models/rank_encoder.h"

namespace {

using namespace cellmill;

constexpr std::int64_t kPaddedCells = 10;

io::NpyArray array(const std::string& folder, const std::string& name) {
  const auto path = folder + "/" + name;
  const auto text = io::read_text(path);
  return io::parse_npy({text.begin(), text.end()}, path, name);
}

data::Sequences cells(const std::string& folder) {
  data::Sequences sequences;
  sequences.tokens = array(folder, "tokens.npy").to_int32(folder, "tokens");
  sequences.offsets = array(folder, "offsets.npy").to_int64(folder, "offsets");
  return sequences;
}

struct Order {
  std::string method, precision, file;
  std::int64_t layer = 0, tokens = 0;
  bool packed() const { return method == "packed"; }
  at::ScalarType type() const { return precision == "bfloat16" ? at::kBFloat16 : at::kFloat; }
};

/// Of like lengths.
std::vector<std::vector<std::int64_t>> batches(const data::Sequences& all, const Order& order) {
  std::vector<std::int64_t> sorted(static_cast<std::size_t>(all.size()));
  std::iota(sorted.begin(), sorted.end(), 0);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](auto a, auto b) { return all.length(a) > all.length(b); });
  std::vector<std::vector<std::int64_t>> out;
  std::int64_t tokens = 0;
  for (const auto cell : sorted) {
    const bool full = out.empty() || (order.packed() ? tokens + all.length(cell) > order.tokens
                                                     : std::ssize(out.back()) == kPaddedCells);
    if (full) {
      out.emplace_back();
      tokens = 0;
    }
    out.back().push_back(cell);
    tokens += all.length(cell);
  }
  return out;
}

at::Tensor embed(models::SequenceEncoder& encoder, const data::Sequences& all, const Order& order,
                 at::Device device) {
  auto out = at::empty({all.size(), encoder.width()}, device);
  for (const auto& batch : batches(all, order)) {
    data::Sequences sequences;
    for (const auto cell : batch) sequences.append(all[cell]);
    const auto hidden = order.packed()
                            ? encoder.encode(sequences, order.layer)
                            : encoder.encode_padded(sequences, order.layer, order.type());
    for (std::size_t i = 0; i < batch.size(); ++i)
      out[batch[i]].copy_(hidden.slice(0, sequences.offsets[i], sequences.offsets[i + 1]).mean(0));
  }
  return out.cpu();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "bench_encode MODEL TOKENS THREADS [cpu | cuda]\n";
    return 64;
  }
  at::set_num_threads(std::atoi(argv[3]));
  const at::Device device(argc == 5 ? argv[4] : "cpu");
  const at::NoGradGuard no_gradients;
  const auto options = models::read_hugging_face_options(argv[1]);
  models::RankEncoder encoder(options, models::unnamed_dictionary(options.vocabulary), nullptr,
                              std::nullopt, at::kFloat);
  models::read_hugging_face_weights(argv[1], encoder.network());
  encoder.to(device);
  const auto all = cells(argv[2]);
  for (std::string line; std::getline(std::cin, line);) {
    Order order;
    std::istringstream(line) >> order.method >> order.precision >> order.layer >> order.tokens >>
        order.file;
    encoder.freeze(order.type());
    const Stopwatch watch;
    const auto embeddings = embed(encoder, all, order, device);
    const double seconds = watch.seconds();
    std::ofstream(order.file, std::ios::binary)
        .write(static_cast<const char*>(embeddings.const_data_ptr()),
               static_cast<std::streamsize>(embeddings.nbytes()));
    std::cout << seconds << std::endl;
  }
}
