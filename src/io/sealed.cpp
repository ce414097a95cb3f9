#include "io/sealed.h"

#include "io/digest.h"

namespace cellmill::io {
namespace {

struct Form {
  std::string_view before, after;
};
constexpr std::size_t kDigits = 16;
constexpr Form kJson{",\"xxh3\":\"", "\"}"}, kText{"# xxh3 ", "\n"};

std::string seal(const Form& form, std::string_view content) {
  return std::string(form.before) + digest(content) + std::string(form.after);
}

/// `closing`: of the content, where the seal stands in its place.
Seal check(const Form& form, std::string_view sealed, std::string_view closing) {
  const std::size_t length = form.before.size() + kDigits + form.after.size();
  if (sealed.size() < length) return Seal::kMissing;
  const std::string_view found = sealed.substr(sealed.size() - length);
  if (!found.starts_with(form.before) || !found.ends_with(form.after)) return Seal::kMissing;
  std::string content(sealed.substr(0, sealed.size() - length));
  content += closing;
  return found == seal(form, content) ? Seal::kHolds : Seal::kBroken;
}

}  // namespace

std::string sealed_json(std::string_view object) {
  return std::string(object.substr(0, object.size() - 1)) + seal(kJson, object);
}
Seal seal_of_json(std::string_view object) { return check(kJson, object, "}"); }

std::string sealed_text(std::string_view text) { return std::string(text) + seal(kText, text); }
Seal seal_of_text(std::string_view text) { return check(kText, text, ""); }

}  // namespace cellmill::io
