// A .cmpack store, part by part, since digests guard the whole: the header's text; a header that
// vouches for any sizes; a file of nothing but blocks; one coded row, by both decoders; and a
// store whose tables and blocks are the input's, with digests that hold. HDF5's own bytes are left
// alone: the structure's digest is compared before HDF5 reads them.
#include "data/store/pack.h"

#include <hdf5.h>

#include <fstream>
#include <numeric>

#include "data/row_check.h"
#include "data/sources/pack_source.h"
#include "data/store/pack_file.h"
#include "data/store/pack_store.h"
#include "fuzz.h"
#include "io/digest.h"
#include "io/row_code.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kCells = 130, kGenes = 40;

void header(fuzz::Script& script) {
  const std::string path = fuzz::write_file("a.cmpack", script.rest());
  fuzz::accepted([&] { data::check_header({path, io::Descriptor::Mode::kRead}); });
}

/// Its own digest and the structure's hold, whatever sizes it names.
void sealed_header(fuzz::Script& script) {
  data::PackHeader header;
  const bool honest = script.yes();
  header.bytes = script.take<std::uint64_t>();
  header.blocks_begin = script.take<std::uint64_t>();
  header.blocks_bytes = script.take<std::uint64_t>();
  const std::string rest(script.rest());
  if (honest) header.bytes = data::kPackHeaderBytes + rest.size();
  const std::string path = fuzz::write_file("b.cmpack", data::header_text(header) + rest);
  const io::Descriptor file(path, io::Descriptor::Mode::kRead);
  fuzz::accepted([&] { header.structure = data::structure_digest(file, header); });
  fuzz::write_file("b.cmpack", data::header_text(header) + rest);
  fuzz::accepted([&] { data::check_header({path, io::Descriptor::Mode::kRead}); });
}

void check(const data::Chunk& rows) {
  fuzz::require(rows.indptr.size() == static_cast<std::size_t>(rows.rows) + 1);
  fuzz::require(data::rows_are_good(rows.indptr.data(), rows.rows, rows.indices.data(),
                                    rows.values.data(), rows.genes));
}

void blocks(fuzz::Script& script) {
  const std::size_t fields = script.choose(4);
  const std::int64_t genes = script.take<std::uint16_t>();
  std::string text;
  while (!script.ended()) {  // blocks that are as long as they say, and sealed
    std::string block(script.bytes(255));
    block.insert(0, 12, '\0');
    const auto size = static_cast<std::uint32_t>(block.size());
    std::memcpy(block.data() + 8, &size, 4);
    const std::uint64_t digest = io::digest_number(block.data() + 8, block.size() - 8, 0);
    std::memcpy(block.data(), &digest, 8);
    text += block;
  }
  const std::string path = fuzz::write_file("blocks", text);
  const std::vector<data::LabelColumn> labels(fields > 0 ? 1 : 0, data::LabelColumn{fields - 1, 3});
  fuzz::accepted([&] {
    data::scan_blocks(path, fields, [&](const data::BlockView& block) {
      for (std::int64_t r = 0; r < block.rows(); ++r) {
        data::Chunk rows{.genes = genes, .indptr = {0}};
        if (fuzz::accepted([&] { block.decode(r, r + 1, labels, rows); })) check(rows);
      }
      return true;
    });
  });
}

void row(fuzz::Script& script) {
  const std::int64_t genes = script.take<std::uint32_t>() % (1U << 26);
  const std::string_view text = script.rest();
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  io::CodedRow coded;
  if (io::parse_row(bytes, coded) != nullptr) return;
  std::vector<std::int32_t> columns(coded.entries), plain_columns(coded.entries);
  std::vector<float> values(coded.entries), plain_values(coded.entries);
  const char* wrong = io::decode_row(coded, genes, columns.data(), values.data());
  const char* also = io::decode_row_plain(coded, genes, plain_columns.data(), plain_values.data());
  fuzz::require((wrong == nullptr) == (also == nullptr));
  if (wrong != nullptr || coded.entries == 0) return;
  fuzz::require(columns == plain_columns);
  fuzz::require(std::memcmp(values.data(), plain_values.data(), 4 * values.size()) == 0);
}

std::string good_store() {
  const auto path = fuzz::folder() / "good.cmpack";
  data::SourceOptions input;
  input.format = "synthetic";
  input.synthetic_cells = kCells;
  input.synthetic_genes = kGenes;
  data::PackOptions options;
  options.output = path;
  options.threads = 1;
  data::pack(input, options);
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Overwrites numbers of the tables as the script says. HDF5 writes; it never reads what is
/// hostile.
void spoil_tables(const std::string& path, fuzz::Script& script) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  fuzz::require(file >= 0);
  const auto number = [&](std::int64_t is) {
    return script.yes() ? is + script.take<std::int8_t>() : script.take<std::int64_t>();
  };
  for (const auto& [name, is] : {std::pair{"cells", kCells},
                                 {"first_cell", std::int64_t{0}},
                                 {"entries", std::int64_t{500}},
                                 {"shard", std::int64_t{0}},
                                 {"shards", std::int64_t{1}},
                                 {"store_cells", kCells},
                                 {"block_rows", data::kBlockRows}}) {
    if (script.choose(6) != 0) continue;
    const std::int64_t value = number(is);
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT64, &value);
    H5Aclose(attribute);
  }
  const hid_t offsets = H5Dopen2(file, "/block_offsets", H5P_DEFAULT);
  std::int64_t places[4] = {};
  H5Dread(offsets, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, places);
  for (std::int64_t& place : places)
    if (script.choose(4) == 0) place = number(place);
  H5Dwrite(offsets, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, places);
  H5Dclose(offsets);
  for (const char* list : {"/sources/digest", "/fields", "/genes"})
    if (script.choose(16) == 0) H5Ldelete(file, list, H5P_DEFAULT);
  H5Fclose(file);
}

/// As a loader holds them: coded until a batch takes them.
void held(const std::string& path) {
  data::SourceOptions options;
  options.path = path;
  options.verify = false;
  const data::PackSource source(options);
  if (source.index().empty()) return;
  const auto rows = source.hold();
  std::vector<std::int32_t> all(static_cast<std::size_t>(source.index().at(0).rows));
  std::iota(all.begin(), all.end(), 0);
  rows->read(0, all);
  for (std::int64_t r = 0; r < rows->size(); ++r) {
    const auto entries = static_cast<std::size_t>(rows->entries(r));
    std::vector<std::int32_t> columns(entries);
    std::vector<float> values(entries);
    std::vector<std::int64_t> labels(source.vocabulary().fields.size());
    fuzz::accepted([&] { rows->put(r, {columns.data(), values.data(), labels.data(), false}); });
  }
}

void tables(fuzz::Script& script) {
  static const std::string good = good_store();
  const std::string path = fuzz::write_file("c.cmpack", good);
  data::PackHeader header = data::check_header({path, io::Descriptor::Mode::kRead});
  spoil_tables(path, script);
  {
    io::Descriptor to(path, io::Descriptor::Mode::kUpdate);
    for (int i = 0; i < 8 && !script.ended(); ++i) {
      const auto at = script.take<std::uint16_t>() % header.blocks_bytes;
      const auto value = script.take<std::uint8_t>();
      to.write_at(&value, 1, header.blocks_begin + at);
    }
    const io::Descriptor made(path, io::Descriptor::Mode::kRead);
    header.bytes = made.size();
    header.structure = data::structure_digest(made, header);
    const std::string text = data::header_text(header);
    to.write_at(text.data(), text.size(), 0);
  }
  fuzz::accepted([&] {
    const data::PackStore store = data::open_pack_store(path);
    const data::PackFile& file = store.shards.front();
    data::Chunk rows{.genes = kGenes, .indptr = {0}};
    const auto read = [&] { file.append(0, file.shard().cells, data::Digests::kTrust, {}, rows); };
    if (fuzz::accepted(read)) check(rows);
    fuzz::accepted([&] { data::describe_pack_store(store, data::StoreText::kJson, true); });
    held(path);
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  constexpr void (*kParts[])(fuzz::Script&) = {header, sealed_header, blocks, row, tables};
  kParts[script.choose(std::size(kParts))](script);
  return 0;
}
