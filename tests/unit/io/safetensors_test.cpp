#include "io/safetensors.h"

#include <catch2/catch.hpp>
#include <random>

#include "expect.h"
#include "io/files.h"
#include "io/little_endian.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;

namespace {

std::string error_of_bytes(const std::string& bytes) {
  Scratch scratch;
  write_text_atomically(scratch / "t.safetensors", bytes);
  return error_of([&] { read_safetensors(scratch / "t.safetensors"); });
}

std::string error_of_header(const std::string& header, const std::string& data) {
  std::string bytes;
  put<std::uint64_t>(bytes, header.size());
  return error_of_bytes(bytes + header + data);
}

}  // namespace

CATCH_TEST_CASE("the reference's file is read", "[safetensors]") {
  Safetensors content = read_safetensors(fixture("a.safetensors"));
  CATCH_CHECK(content.metadata ==
              std::map<std::string, std::string>{{"format", "np"}, {"note", "β"}});
  CATCH_REQUIRE(content.tensors.size() == 5);
  const RawTensor& weight = content.tensors.at("weight");
  CATCH_CHECK((weight.dtype == "F32" && weight.shape == Ints{2, 3}));
  CATCH_CHECK(take<float>(&weight.bytes[5 * 4]) == 5.f);
  const RawTensor& count = content.tensors.at("count");
  CATCH_CHECK((count.dtype == "I64" && count.shape.empty()));
  CATCH_CHECK(take<std::int64_t>(count.bytes.data()) == 7);
  CATCH_CHECK(content.tensors.at("flags").bytes == std::vector<std::uint8_t>{1, 0, 1});
  CATCH_CHECK(content.tensors.at("half").dtype == "F16");
  CATCH_CHECK(content.tensors.at("none").bytes.empty());
}

CATCH_TEST_CASE("tensors come back as they were written", "[safetensors]") {
  Scratch scratch;
  Safetensors content = read_safetensors(fixture("a.safetensors"));
  write_safetensors(scratch / "b.safetensors", content);
  Safetensors again = read_safetensors(scratch / "b.safetensors");
  CATCH_CHECK(again.metadata == content.metadata);
  CATCH_REQUIRE(again.tensors.size() == content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    CATCH_CHECK(again.tensors.at(name).dtype == tensor.dtype);
    CATCH_CHECK(again.tensors.at(name).shape == tensor.shape);
    CATCH_CHECK(again.tensors.at(name).bytes == tensor.bytes);
  }
  content.tensors["weight"].bytes.pop_back();
  CATCH_CHECK_THROWS_AS(write_safetensors(scratch / "b.safetensors", content), InternalError);
}

CATCH_TEST_CASE("a broken file is refused with its place", "[safetensors]") {
  const char* one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  CATCH_CHECK(error_of_header(one, "12345678") == "no error");
  CATCH_CHECK_THAT(error_of_header(one, "1234567"),
                   Contains("65 ") && Contains("t.safetensors: tensor a: is truncated; expected 8 "
                                               "bytes of data; found 7"));
  CATCH_CHECK_THAT(error_of_header(one, "123456789"),
                   Contains("holds more than its header says; expected 8 bytes of data; found 9"));
  CATCH_CHECK_THAT(error_of_bytes("short"), Contains("is not a safetensors file"));
  CATCH_CHECK_THAT(error_of_bytes("PK\x03\x04 some other file"),
                   Contains("is not a safetensors file"));
  CATCH_CHECK_THAT(error_of_header("[1, 2]", ""), Contains("its header is no JSON object"));
  CATCH_CHECK_THAT(error_of_bytes(std::string("\x40\0\0\0\0\0\0\0{}", 10)),
                   Contains("header: is truncated, or not a safetensors file; expected 64 bytes; "
                            "found 2"));
  CATCH_CHECK_THAT(error_of_header(R"({"a":{"dtype":"F32","shape":[2]}})", ""),
                   Contains("tensor a: has a broken entry in the header"));
  for (const char* entry :
       {R"("F32","shape":[3],"data_offsets":[0,8])", R"("F99","shape":[2],"data_offsets":[0,8])",
        R"("F32","shape":[-2],"data_offsets":[0,8])", R"("F32","shape":[2],"data_offsets":[8,0])",
        R"("F64","shape":[4294967296,4294967296],"data_offsets":[0,0])"})
    CATCH_CHECK_THAT(error_of_header(std::string(R"({"a":{"dtype":)") + entry + "}}", "12345678"),
                     Contains("tensor a: has offsets that do not fit its shape"));
  CATCH_CHECK_THAT(
      error_of_header(
          R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
          "1234567"),
      Contains("tensor b: overlaps its neighbour or leaves a gap; expected byte 4; found 3"));
}

CATCH_TEST_CASE("damaged headers are refused or read", "[safetensors]") {
  std::mt19937 random(7);
  std::string whole = read_text(fixture("a.safetensors"));
  Scratch scratch;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 3; ++i)
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    fs::remove(scratch / "d");
    Descriptor(scratch / "d", Descriptor::Mode::kCreateNew).write(bytes.data(), bytes.size());
    error_of([&] { read_safetensors(scratch / "d"); });
  }
}
