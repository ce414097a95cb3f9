#include "serve/answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "io/json.h"

namespace cellmill::serve {
namespace {

std::string quoted(const std::string& text) {
  return io::Json(text).dump(-1, ' ', false, io::Json::error_handler_t::replace);
}

template <class Number>
void add_number(std::string& out, Number number) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void add_list(std::string& out, const std::vector<float>& numbers) {
  out += '[';
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i) out += ',';
    if (!std::isfinite(numbers[i]))
      throw InternalError("the model answered with a number that is not finite");
    add_number(out, numbers[i]);
  }
  out += ']';
}

// The numbers below 1,000, each with a comma.
struct ShortNumbers {
  struct Text {
    char text[4];
  };
  std::array<Text, 1000> texts;
  std::array<std::uint8_t, 1000> sizes;

  constexpr ShortNumbers() : texts(), sizes() {
    for (int number = 0; number < 1000; ++number) {
      int size = 0;
      for (int unit = number < 10 ? 1 : number < 100 ? 10 : 100; unit > 0; unit /= 10)
        texts[number].text[size++] = static_cast<char>('0' + number / unit % 10);
      texts[number].text[size++] = ',';
      sizes[number] = static_cast<std::uint8_t>(size);
    }
  }
};
constexpr ShortNumbers kShort;

// Block by block: there are tens of thousands, most of few digits.
void add_list(std::string& out, const std::vector<std::int32_t>& numbers) {
  constexpr std::size_t kLongest = 12;  // "-2147483648,"
  char block[4096];
  char* end = block;
  out += '[';
  for (const std::int32_t number : numbers) {
    if (end + kLongest > block + sizeof block) {
      out.append(block, end);
      end = block;
    }
    if (number >= 0 && number < 1000) {
      std::memcpy(end, kShort.texts[number].text, 4);
      end += kShort.sizes[number];
    } else {
      end = std::to_chars(end, end + kLongest, number).ptr;
      *end++ = ',';
    }
  }
  out.append(block, end);
  if (numbers.empty())
    out += ']';
  else
    out.back() = ']';
}

void add_latents(std::string& out, const Prediction& prediction) {
  out += "\"latents\":{";
  for (std::size_t i = 0; i < kLatentNames.size(); ++i) {
    out += i ? ",\"" : "\"";
    out += kLatentNames[i];
    out += "\":";
    add_list(out, prediction.latents[i]);
  }
  out += '}';
}

}  // namespace

AnswerWriter::AnswerWriter(const ModelFacts& facts) {
  std::string head = "{\"gene_order\":[";
  for (std::size_t gene = 0; gene < facts.gene_order.size(); ++gene)
    head += (gene ? "," : "") + quoted(facts.gene_order[gene]);
  head += "],\"model_version\":" + quoted(facts.version) + ",\"outputs\":[";
  head_ = std::make_shared<const std::string>(std::move(head));
  for (const FieldFacts& facts_of : facts.fields) {
    Field field{quoted(facts_of.name) + ":", quoted(facts_of.metadata_name) + ":", {}, {}};
    for (const std::string& label : facts_of.labels) {
      field.texts.push_back(quoted(label));
      field.labels.push_back(field.texts.back() + ":");
    }
    fields_.push_back(std::move(field));
  }
}

std::string AnswerWriter::metadata(const Prediction& prediction) const {
  std::string out = "{";
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto& row = prediction.probabilities[i];
    const bool number = i < prediction.values.size() && !prediction.values[i].empty();
    if (row.empty() && !number) continue;
    if (out.size() > 1) out += ',';
    out += fields_[i].metadata_name;
    out += number ? quoted(prediction.values[i])
                  : fields_[i].texts[std::max_element(row.begin(), row.end()) - row.begin()];
  }
  return out + '}';
}

void AnswerWriter::add_probabilities(std::string& out, const Prediction& prediction) const {
  out += "\"classifier_probs\":{";
  bool first = true;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto& row = prediction.probabilities[i];
    if (row.empty()) continue;
    if (!std::exchange(first, false)) out += ',';
    out += fields_[i].name;
    for (std::size_t label = 0; label < row.size(); ++label) {
      if (!std::isfinite(row[label]))
        throw InternalError("the model answered with a probability that is not finite");
      out += label ? ',' : '{';
      out += fields_[i].labels[label];
      add_number(out, row[label]);
    }
    out += '}';
  }
  out += '}';
}

std::string AnswerWriter::tail(Task task, const std::vector<std::string>& metadata,
                               const std::vector<Prediction>& predictions) const {
  std::string out;
  if (!predictions.empty())
    out.reserve(predictions.size() * (4 * predictions[0].counts.size() + 8192));
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const Prediction& each = predictions[i];
    out += i ? ",{\"metadata\":" : "{\"metadata\":";
    if (task == Task::kPredict) {
      out += this->metadata(each) + ',';
      add_probabilities(out, each);
      out += ',';
      add_latents(out, each);
      out += ",\"decoder_sample\":{\"counts\":";
      add_list(out, each.counts);
      out += "}}";
    } else {
      out += metadata[i] + ',';
      add_latents(out, each);
      out += ",\"counts\":";
      add_list(out, each.counts);
      out += '}';
    }
  }
  return out + "]}";
}

}  // namespace cellmill::serve
