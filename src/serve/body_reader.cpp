#include "serve/body_reader.h"

#include <cmath>

#include "base/format.h"

namespace cellmill::serve {
namespace {

std::string shortened(std::string_view text) {
  constexpr std::size_t kShown = 40;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text.size() <= kShown ? std::string(text) : std::string(text.substr(0, kShown)) + "...";
}

// A whole number of at least 0, also one that is written as 10.0 or 1e3.
bool whole(ondemand::value& value, std::uint64_t& number) {
  if (value.get_uint64().get(number) == simdjson::SUCCESS) return true;
  double real;
  if (value.get_double().get(real) != simdjson::SUCCESS) return false;
  if (!(real >= 0 && real <= 1e15) || real != std::floor(real)) return false;
  number = static_cast<std::uint64_t>(real);
  return true;
}

}  // namespace

std::string BodyReader::found(ondemand::value value) {
  const std::string_view token = value.raw_json_token();
  if (token.empty()) return "nothing";
  if (token[0] == '[') return "a list";
  if (token[0] == '{') return "an object";
  if (token[0] == '"') return "the text " + shortened(token);
  return shortened(token);
}

Counts BodyReader::counts(ondemand::value value, const std::string& path, std::size_t genes) {
  Counts out;
  const char* start = std::string_view(value.raw_json_token()).data();
  auto items = list(value, path, fmt::format("{} counts, one a gene of the model", genes));
  if (!items) return out;
  if (lifted_) {
    auto& lists = lifted_->lists;
    const auto place = static_cast<std::size_t>(start - lifted_->text.data());
    while (next_ < lists.size() && lists[next_].first < place) ++next_;
    if (next_ < lists.size() && lists[next_].first == place)
      return std::move(lists[next_++].second);
  }
  std::size_t place = 0;
  for (ondemand::value each : *items) {
    if (place == genes) {
      complain(path,
               fmt::format("must hold {} counts, one a gene of the model; found more", genes));
      return out;
    }
    std::uint64_t count = 0;
    const std::string_view token = each.raw_json_token();
    if (!whole(each, count) || count > kLargestCount) {
      const bool large = count > kLargestCount;
      complain(fmt::format("{}[{}]", path, place),
               fmt::format("must be a whole number {}, found {}",
                           large ? fmt::format("of at most {}", kLargestCount) : "of at least 0",
                           token.empty() || token[0] == '[' || token[0] == '{' || token[0] == '"'
                               ? found(each)
                               : shortened(token)));
      return out;
    }
    if (count) {
      out.genes.push_back(static_cast<std::int32_t>(place));
      out.values.push_back(static_cast<float>(count));
    }
    ++place;
  }
  if (place != genes)
    complain(path,
             fmt::format("must hold {} counts, one a gene of the model; found {}", genes, place));
  else if (out.genes.empty())
    complain(path, "must hold at least one count above 0");
  return out;
}

std::optional<std::string> BodyReader::text(ondemand::value value, const std::string& path) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  if (const std::string other = found(value); other != "null")
    complain(path, "must be a text, found " + other);
  return {};
}

std::optional<bool> BodyReader::boolean(ondemand::value value, const std::string& path) {
  bool answer;
  if (value.get_bool().get(answer) == simdjson::SUCCESS) return answer;
  if (const std::string other = found(value); other != "null")
    complain(path, "must be true or false, found " + other);
  return {};
}

std::optional<std::int64_t> BodyReader::integer(ondemand::value value, const std::string& path,
                                                std::int64_t least, std::int64_t most) {
  const std::string token = found(value);
  if (token == "null") return {};
  std::int64_t number = 0;
  std::uint64_t real = 0;
  const bool read = value.get_int64().get(number) == simdjson::SUCCESS ||
                    (whole(value, real) && (number = static_cast<std::int64_t>(real), true));
  if (read && number >= least && number <= most) return number;
  complain(path, fmt::format("must be a whole number from {} to {}, found {}", least, most, token));
  return {};
}

std::optional<ondemand::object> BodyReader::object(ondemand::value value, const std::string& path,
                                                   const std::string& holding) {
  ondemand::object object;
  if (value.get_object().get(object) == simdjson::SUCCESS) return object;
  complain(path, fmt::format("must be an object with {}, found {}", holding, found(value)));
  return {};
}

std::optional<ondemand::array> BodyReader::list(ondemand::value value, const std::string& path,
                                                const std::string& holding) {
  ondemand::array list;
  if (value.get_array().get(list) == simdjson::SUCCESS) return list;
  complain(path, fmt::format("must be a list of {}, found {}", holding, found(value)));
  return {};
}

}  // namespace cellmill::serve
