#include "serve/tokens.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "io/files.h"

namespace cellmill::serve {
namespace {

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

}  // namespace

Tokens::Tokens(const std::filesystem::path& file) {
  std::istringstream text(io::read_text(file));
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    std::istringstream words(line);
    Known known;
    std::string rest;
    if (!(words >> known.name) || known.name[0] == '#') continue;
    const bool digits = words >> known.digest && known.digest.size() == 64 && !(words >> rest) &&
                        known.digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    // The line itself is not shown: somebody may have written the token.
    if (!digits)
      throw DataError({file.string(), fmt::format("line {}", number),
                       "NAME and 64 lower-case hexadecimal digits", "something else"},
                      "this is no line of a file of tokens", "printf %s TOKEN | sha256sum");
    known_.push_back(std::move(known));
  }
  if (known_.empty())
    throw DataError({file.string(), "", "lines NAME SHA256", "none"}, "there is no token in it",
                    "printf %s TOKEN | sha256sum");
}

std::optional<std::string> Tokens::who(std::string_view authorization) const {
  if (known_.empty()) return "anonymous";
  constexpr std::string_view kScheme = "bearer ";
  const bool bearer =
      authorization.size() > kScheme.size() &&
      std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                 [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  if (!bearer) return {};
  const std::string given = digest(authorization.substr(kScheme.size()));
  std::optional<std::string> found;
  for (const Known& known : known_)
    if (CRYPTO_memcmp(given.data(), known.digest.data(), given.size()) == 0) found = known.name;
  return found;
}

std::string Tokens::digest(std::string_view token) {
  unsigned char bytes[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), bytes);
  return hexadecimal(bytes, sizeof bytes);
}

std::string Tokens::unguessable() {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) throw InternalError("the system has no random bytes");
  return hexadecimal(bytes, sizeof bytes);
}

}  // namespace cellmill::serve
