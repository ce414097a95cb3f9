#pragma once
// One declaration of every setting. Beside each options struct, in its namespace, stands
//   void describe(config::Schema& s, LoaderOptions& o) {
//     s.field("threads", o.threads, "background threads", config::at_least(1));
//     s.section("source", o.source, "what to read");
//     s.rule([&] { return o.a > o.b ? std::string("a must not exceed b") : std::string(); });
//   }
// Reading YAML, `--set`, help, shell completion, the dump of the effective file and `config
// explain` all visit it (config/read.h, config/show.h). A Schema points into the options that it
// was made of and must not outlive them; defaults are the values they hold at that time.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/check.h"

namespace cellmill::config {

/// Where a field's value lives. These are all the types that a setting may have.
using Target = std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*,
                            std::vector<std::string>*, std::vector<std::int64_t>*,
                            std::vector<double>*, std::map<std::string, std::string>*>;

struct FieldEntry {
  std::string key;      ///< dotted: "data.prefetch_chunks"
  std::string section;  ///< "data"; empty at the root
  std::string name;     ///< "prefetch_chunks"
  std::string help;
  Target target;
  Check check;
  std::string default_text;  ///< as YAML
};

struct SectionEntry {
  std::string key;  ///< dotted; the first section is the root, ""
  std::string help;
};

struct RuleEntry {
  std::string section;
  std::function<std::string()> broken;
};

class Schema {
 public:
  /// The schema of `options`: calls describe(schema, options).
  template <class Options>
  static Schema of(Options& options) {
    Schema schema;
    describe(schema, options);
    return schema;
  }

  /// Declares one setting. Throws InternalError for a name given twice, a check that does not suit
  /// the type, or a default that the check refuses.
  template <class T>
  void field(const std::string& name, T& target, const std::string& help, Check check = {}) {
    static_assert(std::is_constructible_v<Target, T*>,
                  "a setting is bool, int64_t, uint64_t, double, string, a vector of string, "
                  "int64_t or double, or a map of string to string");
    add(name, Target(&target), help, std::move(check));
  }

  /// A nested struct with its own describe(); its fields are `name.field`.
  template <class Options>
  void section(const std::string& name, Options& options, const std::string& help = {}) {
    enter(name, help);
    describe(*this, options);
    leave();
  }

  /// A rule over several fields of this section and those below it. `broken` returns what is wrong,
  /// naming the fields, or "". It is asked after all layers are read; a field with a bad value then
  /// holds its value of the layer before.
  void rule(std::function<std::string()> broken);

  const std::vector<FieldEntry>& fields() const { return fields_; }  ///< in order of declaration
  const std::vector<SectionEntry>& sections() const { return sections_; }
  const std::vector<RuleEntry>& rules() const { return rules_; }

  const FieldEntry* find_field(const std::string& key) const;
  const SectionEntry* find_section(const std::string& key) const;
  /// Names of the fields and sections directly in a section.
  std::vector<std::string> names_in(const std::string& section) const;

 private:
  Schema() : sections_{SectionEntry{}} {}
  void add(const std::string& name, Target target, const std::string& help, Check check);
  void enter(const std::string& name, const std::string& help);
  void leave();
  std::string key_of(const std::string& name) const;

  std::string here_;
  std::vector<FieldEntry> fields_;
  std::vector<SectionEntry> sections_;
  std::vector<RuleEntry> rules_;
};

}  // namespace cellmill::config
