#pragma once
// Small texts that carry their own XXH3, so that a changed byte shows.
#include <string>
#include <string_view>

namespace cellmill::io {

enum class Seal { kHolds, kBroken, kMissing };

/// {"a":1} becomes {"a":1,"xxh3":"0123456789abcdef"}; the digest is of the object without it.
std::string sealed_json(std::string_view object);
Seal seal_of_json(std::string_view object);

/// `text` and a last line "# xxh3 0123456789abcdef", a comment to YAML.
std::string sealed_text(std::string_view text);
Seal seal_of_text(std::string_view text);

}  // namespace cellmill::io
