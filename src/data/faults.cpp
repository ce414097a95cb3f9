#include "data/faults.h"

#include <tuple>

#include "base/error.h"

namespace cellmill::data {

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kNotANumber:
      return "not a number";
    case Fault::kInfinite:
      return "infinite";
    case Fault::kNegative:
      return "a negative value";
    case Fault::kColumnOutside:
      return "a column that does not exist";
    case Fault::kColumnTwice:
      return "a column given twice in its row";
    case Fault::kGeneTwice:
      return "a gene named twice";
  }
  throw InternalError("a fault without a name");
}

std::string Faults::Count::place() const {
  std::string text = file;
  if (row >= 0) text += ": row " + std::to_string(row);
  if (column >= 0) text += (row >= 0 ? ", column " : ": gene ") + std::to_string(column);
  return text;
}

void Faults::Count::merge(const Count& other) {
  if (other.count == 0) return;
  if (count == 0 || std::tie(other.file, other.row, other.column) < std::tie(file, row, column)) {
    file = other.file;
    row = other.row;
    column = other.column;
  }
  count += other.count;
}

void Faults::note(Fault fault, const std::string& file, std::int64_t row, std::int64_t column) {
  const std::lock_guard lock(mutex_);
  counts_[fault].merge({1, file, row, column});
}

std::map<Fault, Faults::Count> Faults::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace cellmill::data
