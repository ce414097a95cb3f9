#include "checkpoint/writer.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/error.h"
#include "scratch.h"

using namespace cellmill;
using namespace cellmill::checkpoint;

CATCH_TEST_CASE("what is saved is the state at the call, whatever becomes of it", "[writer]") {
  Scratch scratch;
  Writer writer(scratch.folder / "checkpoints");
  auto state = sample(1, 4000);
  for (std::int64_t step = 1; step <= 3; ++step) {
    writer.save(step, state, [] {});
    for (auto& [name, tensor] : state.tensors) tensor.add_(1);
  }
  writer.finish();
  for (std::int64_t step = 1; step <= 3; ++step) {
    const auto loaded =
        load(scratch.folder / "checkpoints" / ("step-00000000" + std::to_string(step)));
    CATCH_CHECK(loaded.texts == state.texts);
    for (const auto& [name, tensor] : sample(1, 4000).tensors) {
      CATCH_CAPTURE(step, name);
      auto expected = tensor.clone();
      for (std::int64_t k = 1; k < step; ++k) expected.add_(1);
      CATCH_CHECK(at::equal(loaded.tensors.at(name), expected));
    }
  }
}

CATCH_TEST_CASE("a tensor of another shape than before, or prepared for, is saved", "[writer]") {
  Scratch scratch;
  Writer writer(scratch.folder);
  State state;
  state.tensors["x"] = at::arange(4);
  writer.prepare(state);
  for (const std::int64_t n : {3, 5}) {
    state.tensors["x"] = at::arange(n);
    writer.save(n, state, [] {});
  }
  writer.finish();
  CATCH_CHECK(at::equal(load(scratch.folder / "step-000000005").tensors.at("x"), at::arange(5)));
}

CATCH_TEST_CASE("a checkpoint stands when `published` is called", "[writer]") {
  Scratch scratch;
  Writer writer(scratch.folder);
  std::size_t seen = 0;
  writer.save(4, sample(4), [&] { seen = list(scratch.folder).size(); });
  writer.finish();
  CATCH_CHECK(seen == 1);
}

CATCH_TEST_CASE("a bug in the thread comes out of the next call, once", "[writer]") {
  Scratch scratch;
  Writer writer(scratch.folder);
  CATCH_CHECK_FALSE(writer.failed());
  writer.save(1, sample(1), [] { throw InternalError("wrong"); });
  while (!writer.failed()) std::this_thread::yield();
  CATCH_CHECK_THROWS_WITH(writer.save(2, sample(2), [] {}), "wrong");
  CATCH_CHECK_FALSE(writer.failed());
}

CATCH_TEST_CASE("what the system refuses is tried again, also ahead of the save", "[writer]") {
  Scratch scratch;
  const auto refuse = [](int& times) {
    if (times-- > 0) throw DataError({"disk", "", "", ""}, "is full", "", Exit::kIo);
  };
  int before = 1, after = 1, published = 0;
  Writer writer(scratch.folder, [&] { refuse(before); });
  writer.save(1, sample(1), [&] {
    refuse(after);
    ++published;
  });
  writer.finish();
  CATCH_CHECK(published == 1);
  CATCH_CHECK(before == -2);
  CATCH_CHECK(load(scratch.folder / "step-000000001").numbers.at("step") == 1);
}

CATCH_TEST_CASE("a save that cannot be gives way to the next, or is told at the end", "[writer]") {
  Scratch scratch;
  const auto folder = scratch.folder / "checkpoints";
  std::ofstream(folder) << "in the way";
  Writer writer(folder);
  const auto refused = Catch::StartsWith(folder.string() + ": cannot make");
  CATCH_CHECK_THROWS_WITH(writer.save_now(0, sample(0), [] {}), refused);
  writer.save(1, sample(1), [] { CATCH_FAIL("was published"); });
  CATCH_CHECK_THROWS_WITH(writer.finish(), refused);
  writer.save(2, sample(2), [] { CATCH_FAIL("was published"); });
  writer.save(3, sample(3), [] {});
  fs::remove(folder);
  writer.finish();
  CATCH_CHECK(list(folder).size() == 1);
  verify(folder / "step-000000003");
}

CATCH_TEST_CASE("a state that no file can hold is refused at once", "[writer]") {
  Scratch scratch;
  Writer writer(scratch.folder);
  State state;
  state.tensors["half"] = at::zeros({2}, at::kHalf);
  CATCH_CHECK_THROWS_WITH(writer.save(1, state, [] {}), Catch::Contains("tensor half"));
}
