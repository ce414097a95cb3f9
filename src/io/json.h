#pragma once
// JSON for every directory above: manifests, metrics, vocabularies. Json keeps keys in the order in
// which they were put. Library: nlohmann/json.
#include <nlohmann/json.hpp>

namespace cellmill::io {

using Json = nlohmann::ordered_json;

}  // namespace cellmill::io
