#pragma once
// One word of YAML as a value, and back. `parse` takes the whole text or nothing, and leaves the
// value alone when it fails: 1e6 is a whole number, 0.5 is not; .inf is a number, nan is not.
#include <cstdint>
#include <string>

namespace cellmill::config {

bool parse(const std::string& text, bool& value);
bool parse(const std::string& text, std::int64_t& value);
bool parse(const std::string& text, std::uint64_t& value);
bool parse(const std::string& text, double& value);

/// The fewest digits that read back to the same bits.
std::string format(double value);
/// In quotes where YAML would take it for something else than this text.
std::string format(const std::string& text);

}  // namespace cellmill::config
