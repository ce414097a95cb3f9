#include "infer/perturbation_pieces.h"

#include <ATen/ATen.h>

#include "io/files.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

template <class T>
void put(io::H5File& file, const std::string& name, const at::Tensor& values) {
  file.write<T>(name, {values.const_data_ptr<T>(), static_cast<std::size_t>(values.numel())},
                values.sizes().vec());
}

template <class T>
at::Tensor get(const io::H5File& file, const std::string& name) {
  const auto values = file.read<T>(name);
  return at::tensor(values, c10::CppTypeToScalarType<T>::value).view(file.shape(name));
}

}  // namespace

fs::path PerturbationPieces::file_of(std::int64_t block) const {
  return folder_ / ("block-" + std::to_string(block) + ".h5");
}

std::vector<std::int64_t> PerturbationPieces::missing(std::int64_t count) const {
  std::vector<std::int64_t> blocks;
  for (std::int64_t block = 0; block < count; ++block)
    if (!fs::exists(file_of(block))) blocks.push_back(block);
  return blocks;
}

void PerturbationPieces::write(std::int64_t block, const Scores& scores) const {
  io::publish_file(file_of(block), [&](const fs::path& temporary) {
    io::H5File file = io::H5File::create(temporary.string());
    put<float>(file, "/cells", scores.cells);
    file.write<float>("/genes", scores.genes, {static_cast<std::int64_t>(scores.genes.size())});
    file.close();
  });
}

Scores PerturbationPieces::read(std::int64_t block) const {
  const io::H5File file = io::H5File::open(file_of(block).string());
  return {get<float>(file, "/cells"), file.read<float>("/genes")};
}

at::Tensor PerturbationPieces::states() const {
  const fs::path path = folder_ / "states.h5";
  return fs::exists(path) ? get<double>(io::H5File::open(path.string()), "/states") : at::Tensor();
}

void PerturbationPieces::write_states(const at::Tensor& states) const {
  io::publish_file(folder_ / "states.h5", [&](const fs::path& temporary) {
    io::H5File file = io::H5File::create(temporary.string());
    put<double>(file, "/states", states);
    file.close();
  });
}

}  // namespace cellmill::infer
