#include "config/schema.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace cellmill;

namespace {

struct Inner {
  std::int64_t threads = 1;
  std::vector<std::string> fields;
};
void describe(config::Schema& s, Inner& o) {
  s.field("threads", o.threads, "background threads", config::at_least(1));
  s.field("fields", o.fields, "conditioning fields");
}

struct Outer {
  double rate = 1e-3;
  Inner data;
};
void describe(config::Schema& s, Outer& o) {
  s.field("rate", o.rate, "learning rate", config::positive());
  s.section("data", o.data, "what to read");
  s.rule([&] { return o.rate > 1 ? std::string("rate is absurd") : std::string(); });
}

std::string broken_declaration(const std::function<void(config::Schema&)>& declare);

struct Broken {
  std::function<void(config::Schema&)> declare;
};
void describe(config::Schema& s, Broken& o) { o.declare(s); }

std::string broken_declaration(const std::function<void(config::Schema&)>& declare) {
  Broken broken{declare};
  try {
    config::Schema::of(broken);
  } catch (const InternalError& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("a schema holds fields by dotted key, in order", "[schema]") {
  Outer options;
  const auto schema = config::Schema::of(options);
  std::vector<std::string> keys;
  for (const auto& field : schema.fields()) keys.push_back(field.key + "=" + field.default_text);
  CATCH_CHECK(keys == std::vector<std::string>{"rate=0.001", "data.threads=1", "data.fields=[]"});
  CATCH_CHECK(schema.names_in("") == std::vector<std::string>{"rate", "data"});
  CATCH_CHECK(schema.names_in("data") == std::vector<std::string>{"threads", "fields"});
  CATCH_CHECK(schema.find_section("data")->help == "what to read");
  CATCH_CHECK(schema.find_field("data.thread") == nullptr);
  CATCH_CHECK(schema.rules().size() == 1);
}

CATCH_TEST_CASE("a wrong declaration is a bug that says so", "[schema]") {
  std::int64_t n = 0;
  double x = 0;
  std::string text;
  bool flag = false;
  CATCH_CHECK(broken_declaration([&](auto& s) {
                s.field("n", n, "");
                s.field("n", x, "");
              }) == "two settings are named n");
  CATCH_CHECK(broken_declaration([&](auto& s) { s.field("n", n, "", config::at_least(1)); }) ==
              "the default of n, 0, is not at least 1");
  CATCH_CHECK(broken_declaration([&](auto& s) { s.field("t", text, "", config::positive()); }) ==
              "a check of numbers on a text: above 0");
  CATCH_CHECK(broken_declaration([&](auto& s) { s.field("x", x, "", config::one_of({"a"})); }) ==
              "a check of texts on a number: one of a");
  CATCH_CHECK(broken_declaration([&](auto& s) { s.field("f", flag, "", config::fraction()); }) ==
              "a check on true or false: between 0 and 1");
}
