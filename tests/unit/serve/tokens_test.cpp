#include "serve/tokens.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/error.h"
#include "serve/server.h"

namespace cellmill::serve {
namespace {

struct File {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("cellmill_tokens_" + std::to_string(getpid()));
  explicit File(const std::string& text) { std::ofstream(path) << text; }
  ~File() { std::filesystem::remove(path); }
};

}  // namespace

CATCH_TEST_CASE("a token is known by its digest alone") {
  CATCH_CHECK(Tokens::digest("secret") ==
              "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
  const File file("# who\n\nana " + Tokens::digest("secret") + "\nben " + Tokens::digest("other") +
                  "\n");
  const Tokens tokens(file.path);
  CATCH_CHECK(tokens.who("Bearer secret") == "ana");
  CATCH_CHECK(tokens.who("bearer other") == "ben");
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secret ", "Basic secret", "secret"}) {
    CATCH_INFO(wrong);
    CATCH_CHECK(!tokens.who(wrong));
  }
  CATCH_CHECK(!tokens.who("Bearer " + Tokens::digest("secret")));
  CATCH_CHECK(Tokens().who("") == "anonymous");
}

CATCH_TEST_CASE("a file of tokens that is none is refused without showing it") {
  const File file("ana " + Tokens::digest("secret") + "\nben my-open-token\n");
  try {
    Tokens tokens(file.path);
    CATCH_FAIL("taken");
  } catch (const DataError& error) {
    CATCH_CHECK_THAT(error.text(), Catch::Contains("line 2") && Catch::Contains("sha256sum") &&
                                       !Catch::Contains("my-open-token"));
  }
  const File none("# nobody\n");
  CATCH_CHECK_THROWS_WITH(Tokens(none.path), Catch::Contains("there is no token in it"));
}

CATCH_TEST_CASE("links cannot be guessed, and differ") {
  const std::string one = Tokens::unguessable(), other = Tokens::unguessable();
  CATCH_CHECK(one.size() == 32);
  CATCH_CHECK(one != other);
}

CATCH_TEST_CASE("a listener for others needs tokens, TLS needs both files") {
  ServeOptions options;
  CATCH_CHECK_NOTHROW(check(options));
  options.server.address = "0.0.0.0";
  CATCH_CHECK_THROWS_WITH(check(options), Catch::Contains("needs tokens"));
  options.tokens = "file";
  CATCH_CHECK_NOTHROW(check(options));
  options.server.certificate = "cert.pem";
  CATCH_CHECK_THROWS_WITH(check(options), Catch::Contains("certificate and its private key"));
}

}  // namespace cellmill::serve
