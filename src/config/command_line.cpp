#include "config/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>

#include "base/format.h"
#include "base/nearest.h"
#include "config/value.h"

namespace cellmill::config {
namespace {

namespace po = boost::program_options;
using Words = std::vector<std::string>;
using Typed = std::variant<bool*, std::int64_t*, double*, std::string*, Words*>;

bool takes_list(const Typed& value) { return std::holds_alternative<Words*>(value); }
bool is_flag(const Typed& value) { return std::holds_alternative<bool*>(value); }

Target target_of(const Typed& value) {
  return std::visit([](auto* v) { return Target(v); }, value);
}

Node node_of(const Words& words, const Typed& value) {
  Node node;
  node.kind = takes_list(value) ? Node::Kind::kList : Node::Kind::kScalar;
  if (!takes_list(value)) node.text = words.front();
  for (const std::string& word : words) {
    Node item;
    item.kind = Node::Kind::kScalar;
    item.text = word;
    if (takes_list(value)) node.items.push_back(item);
  }
  return node;
}

std::string argument_name(const Typed& value) {
  struct Name {
    std::string operator()(bool*) { return ""; }
    std::string operator()(std::int64_t*) { return " N"; }
    std::string operator()(double*) { return " X"; }
    std::string operator()(std::string*) { return " TEXT"; }
    std::string operator()(Words*) { return " TEXT..."; }
  };
  return std::visit(Name{}, value);
}

std::string shown_default(const Typed& value) {
  const std::string text = format(target_of(value));
  return is_flag(value) || text == "\"\"" || text == "[]" ? "" : text;
}

}  // namespace

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {}

void CommandLine::option(const std::string& name, Value value, const std::string& help, Need need,
                         Check check) {
  declared_.push_back(
      {name, help, shown_default(value), value, need, std::move(check), false, heading_});
}

void CommandLine::positional(const std::string& name, PositionalValue value,
                             const std::string& help, Need need) {
  const Value any = std::visit([](auto* v) { return Value(v); }, value);
  declared_.push_back({name, help, "", any, need, {}, true, heading_});
}

UsageError CommandLine::wrong(const std::string& what, const std::string& hint) const {
  return UsageError(usage_ + ": " + what, hint.empty() ? "see " + usage_ + " --help" : hint);
}

Words CommandLine::option_names() const {
  Words names;
  for (const Declared& d : declared_)
    if (!d.positional) names.push_back("--" + d.name);
  names.push_back("--help");
  return names;
}

std::map<std::string, Words> CommandLine::split(const Words& arguments) const {
  constexpr const char* places = "arguments without a name";  // with spaces: nobody can type it
  po::options_description options;
  options.add_options()(places, po::value<Words>());
  for (const Declared& d : declared_) {
    if (d.positional) continue;
    auto* words = po::value<Words>();
    if (is_flag(d.value)) words->zero_tokens();
    if (takes_list(d.value)) words->multitoken()->composing();
    options.add_options()(d.name.c_str(), words);
  }
  using Style = po::command_line_style::style_t;
  constexpr int style = Style::allow_long | Style::long_allow_adjacent | Style::long_allow_next;
  po::variables_map given;
  try {
    const auto all = po::positional_options_description().add(places, -1);
    po::command_line_parser parser(arguments);
    po::store(parser.options(options).positional(all).style(style).run(), given);
  } catch (const po::unknown_option& e) {
    const std::string name = e.get_option_name();
    throw wrong("unknown option " + name, did_you_mean(name, option_names()));
  } catch (const po::invalid_command_line_syntax& e) {
    const bool extra = e.kind() == po::invalid_command_line_syntax::extra_parameter;
    throw wrong(e.get_option_name() + (extra ? " takes no value" : " needs a value"));
  }
  std::map<std::string, Words> words;
  for (const auto& [name, value] : given) words[name == places ? "" : name] = value.as<Words>();
  return words;
}

void CommandLine::set(const Declared& declared, const Words& words) const {
  if (is_flag(declared.value)) {
    *std::get<bool*>(declared.value) = true;
    return;
  }
  if (!takes_list(declared.value) && words.size() > 1)
    throw wrong(declared.shown() + " is given twice");
  const Words known = option_names();
  for (const std::string& word : words)
    if (std::find(known.begin(), known.end(), word) != known.end())
      throw wrong(declared.shown() + " needs a value; found " + word);
  const Node node = node_of(words, declared.value);
  if (const auto refusal = assign(target_of(declared.value), declared.check, node))
    throw wrong(declared.shown() + ": expected " + refusal->expected + "; found " + refusal->found,
                refusal->hint);
}

bool CommandLine::parse(const Words& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  if (std::any_of(arguments.begin(), end,
                  [](const std::string& word) { return word == "--help" || word == "-h"; }))
    return false;
  auto words = split(arguments);
  Words& places = words[""];
  for (const std::string& place : places)
    if (place.size() > 1 && place[0] == '-' && std::isalpha(static_cast<unsigned char>(place[1])))
      throw wrong("unknown option " + place,
                  fmt::format("options are long: {}", fmt::join(option_names(), ", ")));
  for (const Declared& d : declared_) {
    if (!d.positional) continue;
    const auto take = takes_list(d.value) ? places.size() : std::min<std::size_t>(1, places.size());
    if (take) words[d.name].assign(places.begin(), places.begin() + take);
    places.erase(places.begin(), places.begin() + take);
  }
  if (!places.empty()) throw wrong("unexpected argument " + places.front());
  for (const Declared& d : declared_) {
    if (words.count(d.name))
      set(d, words[d.name]);
    else if (d.need == Need::kRequired)
      throw wrong(d.shown() + " is missing (" + d.help + ")");
  }
  return true;
}

std::string CommandLine::help() const {
  std::string line = "usage: " + usage_;
  std::size_t width = 6;
  Words headings = {""};
  for (const Declared& d : declared_) {
    width = std::max(width, d.shown().size() + (d.positional ? 0 : argument_name(d.value).size()));
    if (std::find(headings.begin(), headings.end(), d.heading) == headings.end())
      headings.push_back(d.heading);
    if (!d.positional && d.need == Need::kOptional) continue;
    const std::string word = d.shown() + (d.positional ? "" : argument_name(d.value)) +
                             (d.positional && takes_list(d.value) ? "..." : "");
    line += d.need == Need::kRequired ? " " + word : " [" + word + "]";
  }
  std::string table;
  for (const std::string& heading : headings) {
    if (!heading.empty()) table += "\n" + heading + "\n";
    for (const Declared& d : declared_) {
      if (d.heading != heading) continue;
      std::string note = d.check.expected;
      if (!d.default_text.empty())
        note += (note.empty() ? "" : "; ") + ("default " + d.default_text);
      table +=
          fmt::format("  {:{}}  {}{}\n", d.shown() + (d.positional ? "" : argument_name(d.value)),
                      width, d.help, note.empty() ? "" : " (" + note + ")");
    }
    if (heading.empty()) table += fmt::format("  {:{}}  this text\n", "--help", width);
  }
  return line + " [options]\n" + summary_ + "\n\n" + table;
}

}  // namespace cellmill::config
