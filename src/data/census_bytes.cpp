#include <cstring>

#include "base/error.h"
#include "data/census.h"

namespace cellmill::data {
namespace {

template <class T>
constexpr bool kPlain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

struct Writer {
  std::string bytes;
  template <class T>
  void operator()(T& value) {
    if constexpr (kPlain<T>) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      auto size = value.size();
      (*this)(size);
      bytes.append(reinterpret_cast<const char*>(value.data()), size * sizeof value[0]);
    }
  }
};

struct Reader {
  std::string_view bytes;
  void take(void* to, std::size_t size) {
    if (size > bytes.size()) throw InternalError("the census of another rank is cut short");
    if (size > 0) std::memcpy(to, bytes.data(), size);
    bytes.remove_prefix(size);
  }
  template <class T>
  void operator()(T& value) {
    if constexpr (kPlain<T>) {
      take(&value, sizeof value);
    } else {
      std::size_t size = 0;
      take(&size, sizeof size);
      if constexpr (requires { value.resize(size); }) {
        if (size > bytes.size()) throw InternalError("the census of another rank is cut short");
        value.resize(size);
      }
      take(value.data(), size * sizeof value[0]);
    }
  }
};

template <class Part>
void visit_figures(Census& c, Part& part) {
  for (auto* whole : {&c.cells, &c.held_out, &c.entries, &c.zeros, &c.fractional}) part(*whole);
  part(c.largest);
  for (Spread* spread : {&c.library, &c.counts_log, &c.genes}) spread->visit(part);
  part(c.gene_cells);
  for (FieldCount& field : c.fields) {
    part(field.cells);
    part(field.held_out);
  }
  for (PairCount& pair : c.pairs) part(pair.cells);
}

}  // namespace

std::string encode(const Census& census) {
  Census copy = census;
  Writer out;
  visit_figures(copy, out);
  auto count = copy.faults.size();
  out(count);
  for (auto& [fault, found] : copy.faults) {
    auto key = fault;
    out(key);
    out(found.count);
    out(found.file);
    out(found.row);
    out(found.column);
  }
  count = copy.unreadable.size();
  out(count);
  for (auto& [chunk, error] : copy.unreadable) {
    auto key = chunk;
    out(key);
    out(error);
  }
  return std::move(out.bytes);
}

Census decode(const std::string& bytes, const Vocabulary& vocabulary) {
  Census census(vocabulary);
  Reader in{bytes};
  visit_figures(census, in);
  std::size_t count = 0;
  for (in(count); count > 0; --count) {
    Fault fault{};
    in(fault);
    auto& found = census.faults[fault];
    in(found.count);
    in(found.file);
    in(found.row);
    in(found.column);
  }
  for (in(count); count > 0; --count) {
    std::string chunk, error;
    in(chunk);
    in(error);
    census.unreadable.emplace(std::move(chunk), std::move(error));
  }
  return census;
}

}  // namespace cellmill::data
