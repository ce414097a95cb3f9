// The step of the cycle autoencoder with its generated cells in memory and all heads' weights side
// by side (nn/cell_products.h). Beside plain_passes, whose results it equals.
#include "models/cycle_autoencoder.h"
#include "nn/cell_products.h"

namespace cellmill::models {

CycleOutputs CycleAutoencoder::dense_passes(const data::Batch& batch, const at::Tensor& targets,
                                            const StepContext& context) {
  const auto from = generator_.routes(batch.labels), to = generator_.routes(targets);
  const auto decoding = generator_.decoding();
  auto encoding = generator_.encoding();
  encoding.insert(encoding.begin(),
                  decoding.front());  // the base encodes with what it decodes with
  const nn::CellProducts products(csr(batch), decoding, encoding, classifier_.first_layer(),
                                  tables_);
  const auto judged = [&](const std::vector<at::Tensor>& parts, bool frozen) {
    const auto first = parts.begin() + static_cast<std::ptrdiff_t>(encoding.size());
    return classifier_.logits_after_first({first, parts.end()}, frozen);
  };

  CycleOutputs out;
  const auto expression = products.expression();
  auto first = generator_.codes(expression, from, to);
  out.first.output = products.generate(first.coefficients);
  const auto generated = products.encode(out.first.output);
  auto second = generator_.codes(generated, to, from);
  out.target_logits = judged(generated, /*frozen=*/true);
  out.real_logits = judged(expression, /*frozen=*/false);
  out.squared_error = products.squared_error(second.coefficients);
  if (populations_)
    out.match = matching(out.first.output, match_keys(batch.labels, targets), context);
  out.first.hidden = std::move(first.hidden);
  out.second.hidden = std::move(second.hidden);
  out.losses.touched = generator_.touched(from, to);
  return out;
}

}  // namespace cellmill::models
