// What this machine allows a minibatch loader over the rows that gen.py made (SET/csr/*.npy), one
// JSON line a limit, cells/s:   bench_loader_limits SET [--threads 2] [--repeats 5] [--cold]
//   sparse_warm  random blocks of 64 rows read into a buffer of 8,192 cells, shuffled there, packed
//                as CSR batches of 4,096: the whole chain without checks, codes or hand-over
//   dense_warm   the same, scattered into one reused dense batch on huge pages
//   cold         the reads alone with 16 in flight and an empty page cache (--cold, needs root)
//   inflate      libdeflate on one core, whole members as in a deflated npz
#include <fcntl.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBlock = 64, kBuffer = 8192, kBatch = 4096, kReadersCold = 16;

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(66);
}

void read_at(int file, void* target, std::size_t bytes, std::size_t offset) {
  auto* at = static_cast<char*>(target);
  while (bytes > 0) {
    const ssize_t got = pread(file, at, bytes, static_cast<off_t>(offset));
    if (got <= 0) fail("pread");
    at += got, offset += static_cast<std::size_t>(got), bytes -= static_cast<std::size_t>(got);
  }
}

/// A one-dimensional .npy array, read by position.
struct Array {
  int file;
  std::size_t data, bytes;

  explicit Array(const std::string& path) : file(open(path.c_str(), O_RDONLY)) {
    if (file < 0) fail(path);
    unsigned char head[12];
    read_at(file, head, sizeof head, 0);
    data = head[6] == 1 ? 10u + head[8] + 256u * head[9]
                        : 12u + head[8] + 256u * head[9] + 65536u * head[10];
    struct stat status {};
    fstat(file, &status);
    bytes = static_cast<std::size_t>(status.st_size) - data;
  }
  void read(void* target, std::size_t first, std::size_t count) const {
    read_at(file, target, 4 * count, data + 4 * first);
  }
};

void in_parallel(std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::vector<std::thread> others;
  for (std::size_t k = 1; k < threads; ++k) others.emplace_back(work, k);
  work(0);
  for (auto& other : others) other.join();
}

struct Set {
  Array indices, values;
  std::vector<std::int64_t> start;  // of each row
  std::size_t genes, cells, threads;
};

std::vector<std::uint32_t> shuffled(std::size_t count, unsigned seed) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}

/// One epoch through the buffer; cells delivered. A dense batch if `dense` is given.
std::size_t chain(const Set& set, float* dense) {
  const auto blocks = shuffled(set.cells / kBlock, 3);
  static std::vector<std::int32_t> columns, batch_columns;
  static std::vector<float> values, batch_values;
  std::size_t delivered = 0;
  constexpr std::size_t kBlocks = kBuffer / kBlock;
  std::vector<std::int64_t> place(kBuffer), length(kBuffer), begin(kBlocks + 1), packed(kBatch + 1);
  for (std::size_t q = 0; q + kBlocks <= blocks.size(); q += kBlocks) {
    for (std::size_t j = 0; j < kBlocks; ++j) {
      const std::size_t first = blocks[q + j] * kBlock;
      begin[j + 1] = begin[j] + set.start[first + kBlock] - set.start[first];
      for (std::size_t k = 0; k < kBlock; ++k) {
        place[j * kBlock + k] = begin[j] + set.start[first + k] - set.start[first];
        length[j * kBlock + k] = set.start[first + k + 1] - set.start[first + k];
      }
    }
    const auto nonzeros = static_cast<std::size_t>(begin[kBlocks]);
    if (columns.size() < nonzeros) columns.resize(nonzeros), values.resize(nonzeros);
    std::atomic<std::size_t> next{0};
    in_parallel(set.threads, [&](std::size_t) {
      for (std::size_t j; (j = next.fetch_add(1)) < kBlocks;) {
        const auto first = static_cast<std::size_t>(set.start[blocks[q + j] * kBlock]);
        const auto count = static_cast<std::size_t>(begin[j + 1] - begin[j]);
        set.indices.read(&columns[static_cast<std::size_t>(begin[j])], first, count);
        set.values.read(&values[static_cast<std::size_t>(begin[j])], first, count);
      }
    });
    const auto order = shuffled(kBuffer, static_cast<unsigned>(q));
    for (std::size_t i = 0; i < kBuffer; i += kBatch, delivered += kBatch) {
      for (std::size_t k = 0; k < kBatch; ++k) packed[k + 1] = packed[k] + length[order[i + k]];
      const auto total = static_cast<std::size_t>(packed[kBatch]);
      if (batch_columns.size() < total) batch_columns.resize(total), batch_values.resize(total);
      in_parallel(set.threads, [&](std::size_t t) {
        for (std::size_t k = kBatch * t / set.threads; k < kBatch * (t + 1) / set.threads; ++k) {
          const auto from = static_cast<std::size_t>(place[order[i + k]]);
          const auto count = static_cast<std::size_t>(length[order[i + k]]);
          const auto to = static_cast<std::size_t>(packed[k]);
          if (dense == nullptr) {
            std::memcpy(&batch_columns[to], &columns[from], 4 * count);
            std::memcpy(&batch_values[to], &values[from], 4 * count);
            continue;
          }
          float* row = dense + k * set.genes;
          std::memset(row, 0, 4 * set.genes);
          for (std::size_t z = from; z < from + count; ++z) row[columns[z]] = values[z];
        }
      });
    }
  }
  return delivered;
}

std::size_t random_blocks(const Set& set) {
  const auto blocks = shuffled(set.cells / kBlock, 1);
  std::atomic<std::size_t> next{0};
  in_parallel(kReadersCold, [&](std::size_t) {
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (std::size_t j; (j = next.fetch_add(1)) < blocks.size();) {
      const std::size_t row = blocks[j] * kBlock;
      const auto count = static_cast<std::size_t>(set.start[row + kBlock] - set.start[row]);
      columns.resize(std::max(columns.size(), count)), values.resize(columns.size());
      set.indices.read(columns.data(), static_cast<std::size_t>(set.start[row]), count);
      set.values.read(values.data(), static_cast<std::size_t>(set.start[row]), count);
    }
  });
  return blocks.size() * kBlock;
}

void drop_caches() {
  sync();
  const int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (file < 0 || write(file, "3", 1) != 1) fail("--cold: /proc/sys/vm/drop_caches");
  close(file);
}

void measure(const std::string& name, int repeats, const std::function<std::size_t()>& cells,
             const std::function<void()>& before = {}) {
  std::vector<double> rates;
  for (int k = before ? 0 : -1; k < repeats; ++k) {  // one to warm up
    if (before) before();
    const auto start = std::chrono::steady_clock::now();
    const auto count = static_cast<double>(cells());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (k >= 0) rates.push_back(count / seconds.count());
  }
  std::sort(rates.begin(), rates.end());
  std::printf(
      "{\"benchmark\": \"loader_limits\", \"name\": \"%s\", \"cells_per_second\": "
      "{\"min\": %.0f, \"median\": %.0f, \"max\": %.0f}}\n",
      name.c_str(), rates.front(), rates[rates.size() / 2], rates.back());
  std::fflush(stdout);
}

void measure_inflate(const Set& set, int repeats) {
  const std::size_t rows = std::min<std::size_t>(set.cells, kBatch);
  const auto count = static_cast<std::size_t>(set.start[rows]);
  std::vector<std::vector<char>> members;
  std::vector<char> plain(4 * count);
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  for (const Array* array : {&set.indices, &set.values}) {
    array->read(plain.data(), 0, count);
    auto& member =
        members.emplace_back(libdeflate_deflate_compress_bound(compressor, plain.size()));
    member.resize(libdeflate_deflate_compress(compressor, plain.data(), plain.size(), member.data(),
                                              member.size()));
  }
  libdeflate_free_compressor(compressor);
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  measure("inflate", repeats, [&] {
    for (const auto& member : members)
      if (libdeflate_deflate_decompress(decompressor, member.data(), member.size(), plain.data(),
                                        plain.size(), nullptr) != LIBDEFLATE_SUCCESS)
        fail("inflate");
    return rows;
  });
  libdeflate_free_decompressor(decompressor);
}

std::size_t genes_of(const std::string& folder) {
  std::ifstream file(folder + "/meta.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto place = text.find("\"genes\":");
  if (place == std::string::npos) fail(folder + "/meta.json");
  return std::stoul(text.substr(place + 8));
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  std::size_t threads = 2;
  int repeats = 5;
  bool cold = false;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    if (word == "--cold")
      cold = true;
    else if (word == "--threads" && k + 1 < argc)
      threads = std::stoul(argv[++k]);
    else if (word == "--repeats" && k + 1 < argc)
      repeats = std::stoi(argv[++k]);
    else
      folder = word;
  }
  Set set{Array(folder + "/csr/indices.npy"), Array(folder + "/csr/data.npy"), {}, 0, 0, threads};
  const Array starts(folder + "/csr/indptr.npy");
  set.start.resize(starts.bytes / sizeof(std::int64_t));
  read_at(starts.file, set.start.data(), starts.bytes, starts.data);
  set.cells = set.start.size() - 1;
  set.genes = genes_of(folder);

  measure("sparse_warm", repeats, [&] { return chain(set, nullptr); });
  const std::size_t bytes = 4 * kBatch * set.genes;
  void* dense = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (dense == MAP_FAILED) fail("mmap");
  madvise(dense, bytes, MADV_HUGEPAGE);
  measure("dense_warm", repeats, [&] { return chain(set, static_cast<float*>(dense)); });
  munmap(dense, bytes);
  measure_inflate(set, repeats);
  if (cold)
    measure(
        "cold", repeats, [&] { return random_blocks(set); }, drop_caches);
}
