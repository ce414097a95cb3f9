#pragma once
// Options from layers: defaults, then YAML files left to right, then `--set a.b.c=value`. A list or
// map replaces the one of the layer before. Everything wrong in all layers is collected and thrown
// as one UsageError (78): unknown keys (with the nearest known one), keys given twice, wrong types,
// values that a check refuses, broken rules; each with file:line:column, its line and a caret.
#include <map>
#include <string>
#include <vector>

#include "config/document.h"
#include "config/schema.h"

namespace cellmill::config {

/// Texts rather than paths: rank 0 reads the files (load_text) and broadcasts what it read.
struct Layers {
  std::vector<Text> files;
  /// "a.b.c=value". The value is YAML, so lists work; for a setting of type text it is taken as it
  /// stands unless it is in quotes.
  std::vector<std::string> settings;
};

/// Where the value of each key comes from: "default", "run.yaml:3", "--set".
using Origins = std::map<std::string, std::string>;

/// Reads into what `schema` points to. When it throws, the options hold an unspecified mixture.
Origins read_schema(const Schema& schema, const Layers& layers);

template <class Options>
Origins read(Options& options, const Layers& layers) {
  return read_schema(Schema::of(options), layers);
}

}  // namespace cellmill::config
