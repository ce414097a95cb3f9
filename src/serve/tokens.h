#pragma once
// Who may ask. A file of lines "NAME SHA256-HEX" (blank lines and # comments allowed) holds only
// digests of tokens; a given token is digested and compared with all of them in constant time.
// Library: OpenSSL.
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cellmill::serve {

class Tokens {
 public:
  Tokens() = default;
  /// Throws DataError with the line for what is no such line, and for a file without any.
  explicit Tokens(const std::filesystem::path& file);

  bool empty() const { return known_.empty(); }
  /// The name that goes with "Bearer TOKEN"; "anonymous" for anything where there are no tokens.
  std::optional<std::string> who(std::string_view authorization) const;

  /// 64 hexadecimal digits.
  static std::string digest(std::string_view token);
  /// 128 random bits as 32 hexadecimal digits, from the system.
  static std::string unguessable();

 private:
  struct Known {
    std::string name, digest;
  };
  std::vector<Known> known_;
};

}  // namespace cellmill::serve
