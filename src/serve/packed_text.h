#pragma once
// Text in which long lists of whole numbers are kept in half of their bytes: of requests and answers
// nearly all are digits, commas and blanks. Any text comes back as it was.
#include <string>
#include <string_view>

namespace cellmill::serve {

std::string pack_text(std::string_view text);
/// Throws DataError for what breaks off.
std::string unpack_text(std::string_view packed);

}  // namespace cellmill::serve
