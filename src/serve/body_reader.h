#pragma once
// Reading a request's JSON value by value, saying what is wrong by its path. What is no JSON at all
// throws simdjson::simdjson_error. Nothing recurses, so depth costs nothing. Library: simdjson
// (on demand), because a body is mostly numbers: tens of thousands a sample.
#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

#include "serve/complaint.h"
#include "serve/lifted_counts.h"
#include "serve/predictor.h"

namespace cellmill::serve {

namespace ondemand = simdjson::ondemand;

/// The largest count that a sample may hold: float holds all whole numbers up to it.
inline constexpr std::uint64_t kLargestCount = 1 << 24;

class BodyReader {
 public:
  /// Of a text from which lists of counts have been lifted, or of a whole one.
  explicit BodyReader(LiftedCounts* lifted) : lifted_(lifted) {}
  void complain(std::string path, std::string message) {
    if (complaints_.size() < kComplaints)
      complaints_.push_back({std::move(path), std::move(message)});
  }
  const std::vector<Complaint>& complaints() const { return complaints_; }

  /// Exactly `genes` whole numbers of at least 0, not all 0. The first wrong one is complained of.
  Counts counts(ondemand::value value, const std::string& path, std::size_t genes);
  /// Nothing, after a complaint, if it is something else; null is nothing without one.
  std::optional<std::string> text(ondemand::value value, const std::string& path);
  std::optional<bool> boolean(ondemand::value value, const std::string& path);
  std::optional<std::int64_t> integer(ondemand::value value, const std::string& path,
                                      std::int64_t least, std::int64_t most);
  std::optional<ondemand::object> object(ondemand::value value, const std::string& path,
                                         const std::string& holding);
  std::optional<ondemand::array> list(ondemand::value value, const std::string& path,
                                      const std::string& holding);

  /// "the text "abc"", "a list", "null", "10.5".
  static std::string found(ondemand::value value);

 private:
  LiftedCounts* lifted_;
  std::size_t next_ = 0;  ///< of the lifted lists
  std::vector<Complaint> complaints_;
};

}  // namespace cellmill::serve
