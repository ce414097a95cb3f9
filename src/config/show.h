#pragma once
// What a schema says of itself: the effective file, the table of origins, help, completion. All
// are in the order of declaration, so equal options give equal texts.
#include <string>
#include <vector>

#include "config/read.h"
#include "config/schema.h"

namespace cellmill::config {

enum class Comments { kNone, kHelp };

/// The values as YAML that reads back to the same bits; with kHelp every setting carries its help.
std::string dump_schema(const Schema& schema, Comments comments);
template <class Options>
std::string dump(Options options, Comments comments = Comments::kNone) {
  return dump_schema(Schema::of(options), comments);
}

/// Reads the layers, and tells each key, value and origin, one a line. Throws as `read` does.
std::string explain_schema(const Schema& schema, const Layers& layers);
template <class Options>
std::string explain(Options options, const Layers& layers) {
  return explain_schema(Schema::of(options), layers);
}

/// Every setting with its default, what it may be and what it is for.
std::string help_schema(const Schema& schema);
template <class Options>
std::string help(Options options) {
  return help_schema(Schema::of(options));
}

/// For shell completion.
struct Key {
  std::string key, help;
  std::vector<std::string> choices;  ///< values, where they can be listed
};
std::vector<Key> keys_schema(const Schema& schema);
template <class Options>
std::vector<Key> keys(Options options) {
  return keys_schema(Schema::of(options));
}

inline constexpr const char* kAbsent = "(absent)";
/// A setting in which two files differ; kAbsent where one has none.
struct Difference {
  std::string key, left, right;
};
/// By value, not by spelling: 1.0 is 1. In the order of `left`, then of `right`. Used to compare a
/// run's effective file with a checkpoint's. Throws UsageError (78) for what is not YAML.
std::vector<Difference> differences(const Text& left, const Text& right);

}  // namespace cellmill::config
