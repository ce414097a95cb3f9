#pragma once
// The metadata that a query asks to generate samples of, checked against the model's vocabulary.
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "serve/body_reader.h"
#include "serve/predictor.h"

namespace cellmill::serve {

struct AskedMetadata {
  std::vector<std::pair<std::size_t, std::string>> values;  ///< as Wanted::metadata
  std::string text = "{}";                                  ///< the same as a JSON object
};

/// Of an object {field: text, number or null}; a category may be several, joined by "|". With a
/// reference only fields of the perturbation may be asked.
AskedMetadata read_metadata(BodyReader& reader, ondemand::value value, const std::string& path,
                            const ModelFacts& facts, bool with_reference);

/// The first label of every field that may be asked.
io::Json example_metadata(const ModelFacts& facts, bool with_reference);

}  // namespace cellmill::serve
