#pragma once
// TFRecord: length, its masked CRC-32C, data, its masked CRC-32C. Source:
// tensorflow/core/lib/io/record_writer.h.
#include <optional>
#include <string>
#include <string_view>

namespace cellmill::io {

std::string framed(std::string_view data);
/// Takes the next record off `bytes` and returns its data; none at the end, or where it is cut or
/// damaged: what comes after that no reader sees.
std::optional<std::string_view> take_record(std::string_view& bytes);

}  // namespace cellmill::io
