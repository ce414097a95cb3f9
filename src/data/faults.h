#pragma once
// What cannot be expression, counted instead of refused: for a report on data that names everything
// at once. Training refuses the first of them. Thread-safe; counts add over parts of the data.
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace cellmill::data {

enum class Fault { kNotANumber, kInfinite, kNegative, kColumnOutside, kColumnTwice, kGeneTwice };

/// "not a number", "a negative value", ...
const char* name_of(Fault fault);

class Faults {
 public:
  /// How many, and the first by file, row and column (-1: says nothing).
  struct Count {
    std::int64_t count = 0;
    std::string file;
    std::int64_t row = -1, column = -1;
    std::string place() const;  ///< "cells.npz: row 3, column 7"
    void merge(const Count& other);
  };
  void note(Fault fault, const std::string& file, std::int64_t row, std::int64_t column);
  std::map<Fault, Count> counts() const;

 private:
  mutable std::mutex mutex_;
  std::map<Fault, Count> counts_;
};

}  // namespace cellmill::data
