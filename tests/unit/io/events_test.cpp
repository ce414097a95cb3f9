#include "io/events.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>

#include "expect.h"
#include "file_limit.h"
#include "io/files.h"
#include "io/protobuf.h"
#include "io/records.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;

namespace {

struct Seen {
  std::vector<std::string> headers;
  Ints steps, restarts;
  std::vector<std::string> tags;
};

Seen look_at(const fs::path& path) {
  Seen seen;
  std::string text = read_text(path);
  std::string_view rest = text;
  while (auto data = take_record(rest)) {
    std::int64_t step = 0;
    while (auto field = take_field(*data)) {
      if (field->number == 2) step = static_cast<std::int64_t>(field->integer);
      if (field->number == 3) seen.headers.emplace_back(field->bytes);
      if (field->number == 7) seen.restarts.push_back(step);
      if (field->number != 5) continue;
      seen.steps.push_back(step);
      std::string_view value = take_field(field->bytes)->bytes;
      seen.tags.emplace_back(take_field(value)->bytes);
    }
  }
  CATCH_CHECK(rest.empty());
  return seen;
}

}  // namespace

CATCH_TEST_CASE("a record is framed as TensorFlow frames it", "[events]") {
  std::string record = framed("cellmill");
  // the bytes that tensorboard.summary.writer.record_writer makes of it
  CATCH_CHECK(record == std::string("\x08\0\0\0\0\0\0\0\xff\x86\x24\x0f"
                                    "cellmill"
                                    "\x32\xd0\xd1\x24",
                                    24));
  std::string_view rest = record;
  CATCH_CHECK(take_record(rest) == "cellmill");
  CATCH_CHECK(rest.empty());
  for (std::size_t at = 0; at < record.size(); ++at) {
    std::string damaged = record;
    damaged[at] ^= 1;
    rest = damaged;
    CATCH_CHECK(!take_record(rest));
    rest = std::string_view(record).substr(0, at);
    CATCH_CHECK(!take_record(rest));
  }
}

CATCH_TEST_CASE("fields come back as they were put, and broken ones end the message", "[events]") {
  Message message;
  message.integer(1, -1).integer(2, 300).real(3, 0.5).real32(16, 2.f).bytes(4, "text");
  std::string_view rest = message.bytes();
  CATCH_CHECK(static_cast<std::int64_t>(take_field(rest)->integer) == -1);
  CATCH_CHECK(take_field(rest)->integer == 300);
  CATCH_CHECK(take<double>(take_field(rest)->bytes.data()) == 0.5);
  auto wide = take_field(rest);
  CATCH_CHECK((wide->number == 16 && take<float>(wide->bytes.data()) == 2.f));
  CATCH_CHECK(take_field(rest)->bytes == "text");
  CATCH_CHECK(!take_field(rest));
  for (std::string broken : {"\x08", "\x08\xff",
                             "\x0a\x05"
                             "abc",
                             "\x09"
                             "1234",
                             "\x0b", "\x80"}) {
    rest = broken;
    CATCH_CHECK((!take_field(rest) && rest.empty()));
  }
}

CATCH_TEST_CASE("a writer makes one file of events", "[events]") {
  Scratch scratch;
  EventWriter writer(scratch.folder);
  writer.scalar("loss/train", 0.5, 1);
  writer.histogram("weights", std::vector<float>{1, 2, std::nanf("")}, 2);
  writer.histogram("nothing", {}, 2);
  writer.histogram("nothing", std::vector<float>{std::numeric_limits<float>::infinity()}, 2);
  writer.text("config", "# run", 0);
  writer.flush();
  CATCH_CHECK_THAT(fs::path(writer.path()).filename(), Catch::StartsWith("events.out.tfevents."));
  Seen seen = look_at(writer.path());
  CATCH_CHECK(seen.headers == std::vector<std::string>{"brain.Event:2"});
  CATCH_CHECK(seen.tags == std::vector<std::string>{"loss/train", "weights", "config"});
  CATCH_CHECK(seen.steps == Ints{1, 2, 0});
}

CATCH_TEST_CASE("what is buffered is written at the end", "[events]") {
  Scratch scratch;
  std::string path;
  {
    EventWriter writer(scratch.folder);
    path = writer.path();
    for (int step = 0; step < 3000; ++step) writer.scalar("a", step, step);
    CATCH_CHECK(fs::file_size(path) > 1 << 16);
  }
  CATCH_CHECK(look_at(path).steps.size() == 3000);
}

CATCH_TEST_CASE("a later writer's file sorts after the earlier ones", "[events]") {
  Scratch scratch;
  std::ofstream(scratch / "events.out.tfevents.9999999990.host.1.0");
  std::string first = EventWriter(scratch.folder).path(),
              second = EventWriter(scratch.folder).path();
  CATCH_CHECK_THAT(first, Contains("events.out.tfevents.9999999991."));
  CATCH_CHECK(first < second);
}

CATCH_TEST_CASE("dropping from a step leaves what was before it", "[events]") {
  Scratch scratch;
  EventWriter::drop_from(scratch.folder / "none", 1);
  std::string first, second;
  {
    EventWriter writer(scratch.folder);
    first = writer.path();
    writer.hparams({{"lr", 0.1}}, {"loss"});
    for (int step = 1; step <= 6; ++step) writer.scalar("loss", step, step);
    writer.hparams_end(true);
  }
  {
    EventWriter writer(scratch.folder);
    second = writer.path();
    writer.restart_at(5);
    for (int step = 5; step <= 9; ++step) writer.scalar("loss", step, step);
  }
  std::ofstream(second, std::ios::app) << "a record, cut";
  EventWriter::drop_from(scratch.folder, 5);
  CATCH_CHECK(look_at(first).steps == Ints{0, 0, 1, 2, 3, 4});
  CATCH_CHECK(look_at(first).headers.size() == 1);
  CATCH_CHECK(look_at(second).steps.empty());
  CATCH_CHECK(look_at(second).restarts.empty());
  CATCH_CHECK(look_at(second).headers.size() == 1);
}

CATCH_TEST_CASE("a restart is told twice", "[events]") {
  Scratch scratch;
  EventWriter writer(scratch.folder);
  writer.restart_at(7);
  writer.flush();
  CATCH_CHECK(look_at(writer.path()).restarts == Ints{7, 7});
}

CATCH_TEST_CASE("events that a limit refuses are kept, each once", "[events]") {
  Scratch scratch;
  EventWriter writer(scratch.folder);
  {
    const FileLimit limit(1000);
    for (std::int64_t step = 1; step <= 3000; ++step) writer.scalar("loss", 1, step);
    CATCH_CHECK_THAT(error_of([&] { writer.flush(); }), Contains("File too large"));
  }
  writer.flush();
  std::string text = read_text(writer.path());
  std::string_view rest = text;
  std::int64_t records = 0;
  while (take_record(rest)) ++records;
  CATCH_CHECK(records == 3001);
  CATCH_CHECK(rest.empty());
}

CATCH_TEST_CASE("what the writer cannot do is an error", "[events]") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { EventWriter writer(scratch / "none"); }),
                   Contains("74 ") && Contains("cannot create: No such file or directory"));
  CATCH_CHECK_THROWS_AS(encode_png({.width = 2, .height = 2, .rgb = {1, 2, 3}}), InternalError);
}
