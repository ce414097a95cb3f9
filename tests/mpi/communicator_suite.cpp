// What every communicator promises, run over all that this build and machine have: the host's
// world, and NCCL's where there is a device for each rank.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "comm/mpi_communicator.h"
#include "comm/solo_communicator.h"
#include "comm/tree_sum.h"
#include "test_world.h"

using namespace cellmill;
using comm::Op;

namespace {

struct Subject {
  std::string name;
  comm::Communicator* world;
  at::Device device;
};

std::vector<Subject> subjects() {
  comm::World& w = test_world();
  std::vector<Subject> all = {{"host", w.host_world.get(), at::kCPU}};
  if (at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() >= w.local_size) {
    if (!w.device_world) comm::use_cuda(w);
    all.push_back({"nccl", w.device_world.get(), w.device});
  }
  // pieces far smaller than the tensors below
  static std::unique_ptr<comm::MpiCommunicator> small_pieces;
  if (dynamic_cast<comm::MpiCommunicator*>(w.host_world.get())) {
    if (!small_pieces)
      small_pieces = std::make_unique<comm::MpiCommunicator>(
          MPI_COMM_WORLD,
          comm::MpiOptions{.piece_bytes = 16000, .small_bytes = 64, .message_bytes = 7777});
    all.push_back({"host, small pieces", small_pieces.get(), at::kCPU});
    // machines of two ranks, where that divides the world
    static std::unique_ptr<comm::MpiCommunicator> pairs;
    if (!pairs)
      pairs = std::make_unique<comm::MpiCommunicator>(MPI_COMM_WORLD,
                                                      comm::MpiOptions{.sharing_ranks = 2});
    all.push_back({"host, pairs", pairs.get(), at::kCPU});
  }
  return all;
}

/// Values that differ by rank, of a width where float addition rounds.
at::Tensor values(int rank, std::int64_t n, at::ScalarType type) {
  const at::Tensor i = at::arange(n, at::kDouble);
  if (at::isFloatingType(type)) return at::sin(i * 0.37 + rank * 1.7).to(type);
  return at::remainder(i * 7 + rank * 3, 50).to(type);
}

at::Tensor reduced_in_order(int size, std::int64_t n, at::ScalarType type, Op op) {
  at::Tensor total = values(0, n, type);
  for (int r = 1; r < size; ++r)
    total = op == Op::kSum ? total + values(r, n, type) : at::maximum(total, values(r, n, type));
  return total;
}

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kDouble, at::kLong, at::kByte};

}  // namespace

CATCH_TEST_CASE("rank and size are MPI's") {
  comm::World& w = test_world();
  for (const Subject& s : subjects()) {
    CATCH_CHECK(s.world->size() == w.size);
    CATCH_CHECK(s.world->rank() == w.rank);
  }
  CATCH_CHECK(w.local_size == w.size);  // one machine
  CATCH_CHECK(w.local_rank == w.rank);
  const at::Tensor ranks = w.host_world->all_gather(at::full({1}, w.rank, at::kLong));
  CATCH_CHECK(at::equal(ranks, at::arange(w.size)));
}

CATCH_TEST_CASE("all_reduce sums and maximises every dtype and length in order of rank") {
  for (const Subject& s : subjects())
    for (const at::ScalarType type : kTypes)
      for (const Op op : {Op::kSum, Op::kMax})
        for (const std::int64_t n : {0, 1, 2, 3, 5, 1000, 20000}) {
          CATCH_CAPTURE(s.name, toString(type), static_cast<int>(op), n);
          at::Tensor x = values(s.world->rank(), n, type).to(s.device);
          const void* place = x.data_ptr();
          s.world->all_reduce(x, op);
          CATCH_CHECK(x.data_ptr() == place);
          const at::Tensor expected = reduced_in_order(s.world->size(), n, type, op);
          if (s.device.is_cpu() || !at::isFloatingType(type))
            CATCH_CHECK(at::equal(x.cpu(), expected));
          else
            CATCH_CHECK(at::allclose(x.cpu(), expected, 1e-5, 1e-6));
        }
}

CATCH_TEST_CASE("all_reduce of several MiB has the same bits on all ranks, twice") {
  for (const Subject& s : subjects()) {
    const std::int64_t n = (s.name == "host, small pieces") ? 20001 : 3 * 1024 * 1024 + 7;
    at::Tensor first = values(s.world->rank(), n, at::kFloat).to(s.device), second = first.clone();
    s.world->all_reduce(first, Op::kSum);
    s.world->all_reduce(second, Op::kSum);
    CATCH_CHECK(at::equal(first, second));
    const at::Tensor all = s.world->all_gather(first).view({s.world->size(), n});
    for (int r = 0; r < s.world->size(); ++r) CATCH_CHECK(at::equal(all[r], first));
    CATCH_CHECK(at::allclose(first.cpu(),
                             reduced_in_order(s.world->size(), n, at::kFloat, Op::kSum), 0, 1e-5));
  }
}

CATCH_TEST_CASE("memory of the world's own is zero, and reduces as any other") {
  for (const Subject& s : subjects())
    for (const at::ScalarType type : kTypes) {
      const std::int64_t n = 70000;
      const at::Tensor own = s.world->zeros(n, at::TensorOptions(type).device(s.device));
      CATCH_CAPTURE(s.name, toString(type));
      CATCH_CHECK(at::equal(own.cpu(), at::zeros({n}, type)));
      for (const Op op : {Op::kSum, Op::kMax})
        for (const auto& [begin, end] : std::vector<std::pair<std::int64_t, std::int64_t>>{
                 {0, n}, {1, 2}, {5, 69000}, {7, 7}}) {
          own.copy_(values(s.world->rank(), n, type));
          at::Tensor part = own.slice(0, begin, end);
          s.world->all_reduce(part, op);
          at::Tensor expected = values(s.world->rank(), n, type);
          expected.slice(0, begin, end)
              .copy_(reduced_in_order(s.world->size(), n, type, op).slice(0, begin, end));
          if (s.device.is_cpu() && s.name != "host, pairs")
            CATCH_CHECK(at::equal(own, expected));
          else  // in another order
            CATCH_CHECK(at::allclose(own.cpu().to(at::kDouble), expected.to(at::kDouble), 0, 1e-6));
          for (const auto& other : s.world->all_gather(part.unsqueeze(0)).unbind())
            CATCH_CHECK(at::equal(other, part));
        }
    }
}

CATCH_TEST_CASE("reduce_scatter and gather_shares are all_reduce in two halves, to the bit") {
  for (const Subject& s : subjects())
    for (const at::ScalarType type : kTypes)
      for (const std::int64_t share : {0, 1, 9000})
        for (const bool own_memory : {false, true}) {
          CATCH_CAPTURE(s.name, toString(type), share, own_memory);
          const auto n = share * s.world->size(), begin = share * s.world->rank();
          const auto mine = values(s.world->rank(), n, type).to(s.device);
          const auto make = [&] {
            return own_memory ? s.world->zeros(n, mine.options()).copy_(mine) : mine.clone();
          };
          at::Tensor whole = make(), flat = make();
          s.world->all_reduce(whole, Op::kSum);
          s.world->reduce_scatter(flat);
          const auto got = flat.narrow(0, begin, share), expected = whole.narrow(0, begin, share);
          if (s.device.is_cpu())
            CATCH_CHECK(at::equal(got, expected));
          else
            CATCH_CHECK(at::allclose(got.to(at::kDouble), expected.to(at::kDouble), 1e-5, 1e-6));
          const auto all = s.world->all_gather(got.contiguous());
          s.world->gather_shares(flat);
          CATCH_CHECK(at::equal(flat, all));
          flat.copy_(mine);  // the plain twin
          s.world->Communicator::reduce_scatter(flat);
          s.world->Communicator::gather_shares(flat);
          CATCH_CHECK(at::equal(flat, whole));
        }
}

CATCH_TEST_CASE("all_to_all gives each rank its rows of all") {
  for (const Subject& s : subjects())
    for (const std::int64_t rows : {0, 1, 3}) {
      const std::int64_t ranks = s.world->size(), rank = s.world->rank();
      // value: 1000 * from + row
      const auto mine = (at::arange(ranks * rows) + 1000 * rank).view({-1, 1}).expand({-1, 500});
      std::vector<at::Tensor> expected;
      for (std::int64_t r = 0; r < ranks; ++r)
        expected.push_back(at::arange(rank * rows, (rank + 1) * rows) + 1000 * r);
      CATCH_CAPTURE(s.name, rows);
      const auto sent = mine.contiguous().to(s.device);
      for (const auto& got : {s.world->all_to_all(sent), s.world->Communicator::all_to_all(sent)})
        CATCH_CHECK(at::equal(got.cpu(), at::cat(expected).view({-1, 1}).expand({-1, 500})));
    }
}

CATCH_TEST_CASE("a tree of sums has the bits of one rank's, whatever the number of ranks") {
  comm::SoloCommunicator solo;
  for (const Subject& s : subjects())
    for (const at::ScalarType type : {at::kFloat, at::kDouble})
      for (const std::int64_t leaves : {4, 5, 7, 12, 24, 31})
        for (const std::int64_t n : {1, 5, 3000, 1500000}) {
          if (n > 3000 && (leaves != 12 || s.name != "host")) continue;
          CATCH_CAPTURE(s.name, toString(type), leaves, n);
          const auto leaf = [&](std::int64_t k) { return values(static_cast<int>(k), n, type); };
          comm::TreeSum alone(solo, leaves), together(*s.world, leaves);
          const std::int64_t ranks = s.world->size(), rank = s.world->rank();
          for (int again = 0; again < 2; ++again) {  // it begins anew
            auto expected = at::empty({n}, type), sum = at::empty({n}, type).to(s.device);
            for (std::int64_t k = 0; k < leaves; ++k) alone.add(leaf(k));
            alone.finish(expected);
            for (auto k = leaves * rank / ranks; k < leaves * (rank + 1) / ranks; ++k)
              together.add(leaf(k).to(s.device));
            together.finish(sum);
            CATCH_CHECK(at::equal(sum.cpu(), expected));
            auto plain = at::zeros({n}, at::kDouble);
            for (std::int64_t k = 0; k < leaves; ++k) plain += leaf(k);
            CATCH_CHECK(at::allclose(expected.to(at::kDouble), plain, 0, 1e-4));
          }
        }
  comm::Communicator& world = *test_world().host_world;
  if (world.size() > 1)
    CATCH_CHECK_THROWS_WITH(comm::TreeSum(world, world.size() - 1),
                            Catch::Contains("fewer leaves than ranks"));
}

CATCH_TEST_CASE("gather stacks by rank, on the root alone") {
  for (const Subject& s : subjects())
    for (int root = 0; root < s.world->size(); ++root) {
      const auto mine = at::full({5000, 2}, s.world->rank()).to(s.device);
      const auto all = s.world->gather(mine, root), expected = s.world->all_gather(mine);
      CATCH_CAPTURE(s.name, root);
      CATCH_CHECK(all.defined() == (s.world->rank() == root));
      if (all.defined()) CATCH_CHECK(at::equal(all, expected));
    }
}

CATCH_TEST_CASE("the maximum keeps a NaN of any rank") {
  for (const Subject& s : subjects()) {
    const int last = s.world->size() - 1;
    at::Tensor x = at::full({3}, s.world->rank() == last ? NAN : 1.0f, s.device);
    s.world->all_reduce(x, Op::kMax);
    CATCH_CHECK(x.isnan().all().item<bool>());
  }
}

CATCH_TEST_CASE("all_gather stacks by rank") {
  for (const Subject& s : subjects())
    for (const auto& shape :
         std::vector<std::vector<std::int64_t>>{{0, 3}, {1}, {2, 3, 5}, {700, 9}}) {
      CATCH_CAPTURE(s.name, shape);
      const at::Tensor base = at::arange(c10::multiply_integers(shape), at::kDouble).view(shape);
      const at::Tensor all = s.world->all_gather((base + 1000 * s.world->rank()).to(s.device));
      std::vector<at::Tensor> expected;
      for (int r = 0; r < s.world->size(); ++r) expected.push_back(base + 1000 * r);
      CATCH_CHECK(at::equal(all.cpu(), at::cat(expected)));
    }
  comm::Communicator& w = *test_world().host_world;
  const at::Tensor across = at::arange(6).view({2, 3}).t();  // not contiguous
  CATCH_CHECK(at::equal(w.all_gather(across).slice(0, 0, 3), across));
}

CATCH_TEST_CASE("broadcast from every root") {
  for (const Subject& s : subjects())
    for (const at::ScalarType type : {at::kFloat, at::kLong, at::kByte, at::kBool})
      for (int root = 0; root < s.world->size(); ++root)
        for (const std::int64_t n : {0, 1, 5000}) {
          CATCH_CAPTURE(s.name, toString(type), root, n);
          at::Tensor x = values(s.world->rank(), n, at::kByte).to(type).to(s.device);
          s.world->broadcast(x, root);
          CATCH_CHECK(at::equal(x.cpu(), values(root, n, at::kByte).to(type)));
        }
}

CATCH_TEST_CASE("texts of any length, empty ones too") {
  for (const Subject& s : subjects()) {
    const auto text = [](int rank) {
      return rank % 2 ? std::string() : std::string(rank * 3000 + 1, static_cast<char>('a' + rank));
    };
    const std::vector<std::string> all = s.world->gather_texts(text(s.world->rank()));
    CATCH_REQUIRE(static_cast<int>(all.size()) == s.world->size());
    for (int r = 0; r < s.world->size(); ++r) {
      CATCH_CHECK(all[r] == text(r));
      CATCH_CHECK(s.world->broadcast_text(text(s.world->rank()), r) == text(r));
    }
    const std::string zeros("a\0b\0", 4);
    CATCH_CHECK(s.world->broadcast_text(zeros, 0) == zeros);
  }
}

CATCH_TEST_CASE("agree: nobody fails, nobody throws") {
  int runs = 0;
  comm::agree(*test_world().host_world, [&] { ++runs; });
  CATCH_CHECK(runs == 1);
}

CATCH_TEST_CASE("agree: all ranks throw the lowest failing rank's error") {
  comm::Communicator& w = *test_world().host_world;
  for (int failing = 0; failing < w.size(); ++failing) {
    const std::string prefix = w.size() == 1 ? "" : "rank " + std::to_string(failing) + ": ";
    try {
      comm::agree(w, [&] {
        if (w.rank() >= failing)
          throw DataError({"a.npz", "row " + std::to_string(w.rank()), "1", "2"}, "bad", "look");
      });
      CATCH_FAIL("agree did not throw");
    } catch (const Error& e) {
      CATCH_CHECK(e.what() ==
                  prefix + "a.npz: row " + std::to_string(failing) + ": bad; expected 1; found 2");
      CATCH_CHECK(e.code() == Exit::kData);
      CATCH_CHECK(e.hint() == "look");
    }
  }
  w.barrier();
}

CATCH_TEST_CASE("agree: nested, the inner error reaches all once") {
  comm::Communicator& w = *test_world().host_world;
  const int last = w.size() - 1;
  const std::string prefix = w.size() == 1 ? "" : "rank " + std::to_string(last) + ": ";
  CATCH_CHECK_THROWS_WITH(comm::agree(w,
                                      [&] {
                                        comm::agree(w, [&] {
                                          if (w.rank() == last) throw std::runtime_error("inner");
                                        });
                                      }),
                          prefix + "inner");
}

CATCH_TEST_CASE("a tensor that is not contiguous is refused in place") {
  auto* w = dynamic_cast<comm::MpiCommunicator*>(test_world().host_world.get());
  if (!w) return;
  at::Tensor x = at::zeros({2, 3}).t();
  CATCH_CHECK_THROWS_WITH(w->all_reduce(x, Op::kSum),
                          Catch::Contains("all_reduce over MPI wants a contiguous host tensor"));
  at::Tensor half = at::zeros({2}, at::kHalf);
  CATCH_CHECK_THROWS_WITH(w->all_reduce(half, Op::kSum), Catch::Contains("all_reduce of CPUHalf"));
}
