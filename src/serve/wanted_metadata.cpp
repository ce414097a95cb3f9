#include "serve/wanted_metadata.h"

#include <charconv>
#include <cmath>

#include "base/format.h"
#include "base/nearest.h"

namespace cellmill::serve {
namespace {

constexpr std::size_t kPerturbation = 2;  // in kLatentNames

bool may_ask(const FieldFacts& field, bool with_reference) {
  return !with_reference || field.latent == kPerturbation;
}

std::vector<std::string> names(const ModelFacts& facts, bool with_reference) {
  std::vector<std::string> out;
  for (const FieldFacts& field : facts.fields)
    if (may_ask(field, with_reference)) out.push_back(field.metadata_name);
  return out;
}

bool known(const FieldFacts& field, const std::string& label) {
  return std::find(field.labels.begin(), field.labels.end(), label) != field.labels.end();
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return std::string(text);
}

// What is wrong with it, or "".
std::string wrong_category(const FieldFacts& field, const std::string& text) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('|', begin), text.size());
    const std::string word = trimmed(std::string_view(text).substr(begin, end - begin));
    if (!known(field, word))
      return fmt::format("\"{}\" is no value that the model knows. {}", word.substr(0, 80),
                         did_you_mean(word, field.labels));
    begin = end + 1;
  }
  return {};
}

std::string wrong_number(const FieldFacts& field, const std::string& text) {
  double number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || !std::isfinite(number) || number < 0)
    return fmt::format("must be a number of at least 0 and its unit, found \"{}\"",
                       text.substr(0, 80));
  const std::string unit = trimmed({rest, text.data() + text.size()});
  if (known(field, unit)) return {};
  return fmt::format("\"{}\" is no unit that the model knows. {}", unit.substr(0, 80),
                     did_you_mean(unit, field.labels));
}

// Texts stay, numbers are taken as they are written; nothing for null and for what is neither.
std::optional<std::string> value_text(BodyReader& reader, ondemand::value value,
                                      const std::string& path, bool number) {
  double real;
  if (number && value.get_double().get(real) == simdjson::SUCCESS) return fmt::format("{}", real);
  return reader.text(value, path);
}

}  // namespace

AskedMetadata read_metadata(BodyReader& reader, ondemand::value value, const std::string& path,
                            const ModelFacts& facts, bool with_reference) {
  AskedMetadata asked;
  auto object = reader.object(value, path, "fields and their values");
  if (!object) return asked;
  io::Json echo = io::Json::object();
  for (ondemand::field each : *object) {
    const std::string key(std::string_view(each.unescaped_key()));
    const std::string place = path + "." + key;
    std::size_t i = 0;
    while (i < facts.fields.size() && key != facts.fields[i].metadata_name &&
           key != facts.fields[i].name)
      ++i;
    if (i == facts.fields.size() || !may_ask(facts.fields[i], with_reference)) {
      reader.complain(
          place, (i < facts.fields.size() ? "is of the reference: only perturbations may be asked. "
                                          : "is no field of the model. ") +
                     did_you_mean(key, names(facts, with_reference)));
      continue;
    }
    const FieldFacts& field = facts.fields[i];
    const bool number = field.kind == FieldFacts::Kind::kNumber;
    const auto text = value_text(reader, each.value(), place, number);
    if (!text || text->empty()) continue;
    if (echo.contains(key)) {
      reader.complain(place, "is there twice");
    } else if (const std::string wrong =
                   number ? wrong_number(field, *text) : wrong_category(field, *text);
               !wrong.empty()) {
      reader.complain(place, wrong);
    } else {
      asked.values.emplace_back(i, *text);
      echo[key] = *text;
    }
  }
  asked.text = echo.dump(-1, ' ', false, io::Json::error_handler_t::replace);
  return asked;
}

io::Json example_metadata(const ModelFacts& facts, bool with_reference) {
  io::Json out = io::Json::object();
  for (const FieldFacts& field : facts.fields) {
    if (!may_ask(field, with_reference) || field.labels.empty()) continue;
    const bool number = field.kind == FieldFacts::Kind::kNumber;
    out[field.metadata_name] = number ? trimmed("10 " + field.labels[0]) : field.labels[0];
  }
  return out;
}

}  // namespace cellmill::serve
