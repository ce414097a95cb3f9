#include "infer/perturbation_survey.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"

namespace cellmill::infer {
namespace {

constexpr std::int64_t kWindow = 4096;  // cells read at a time

using Places = std::vector<std::int64_t>;

std::size_t field_of(const CellSequences& cells, const std::string& name) {
  std::vector<std::string> names;
  for (const data::Field& field : cells.fields()) names.push_back(field.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw UsageError("--state " + name + ": the data have no label of that name",
                     did_you_mean(name, names));
  return static_cast<std::size_t>(found - names.begin());
}

/// State of each category of the field, -1 for none.
std::vector<std::int64_t> state_of_code(const data::Field& field, const StateWords& words) {
  const auto names = words.names();
  if (std::set(names.begin(), names.end()).size() < names.size())
    throw UsageError("--start, --goal and --alternatives must be different states");
  std::vector<std::int64_t> state(field.categories.size(), -1);
  for (std::size_t s = 0; s < names.size(); ++s) {
    const auto found = std::find(field.categories.begin(), field.categories.end(), names[s]);
    if (found == field.categories.end())
      throw UsageError(fmt::format("no cell has {} = {}", field.name, names[s]),
                       did_you_mean(names[s], field.categories));
    state[static_cast<std::size_t>(found - field.categories.begin())] =
        static_cast<std::int64_t>(s);
  }
  return state;
}

struct Reading {
  std::vector<std::int32_t> lengths;
  std::vector<std::int32_t> codes;  // [cells, fields]
  Places askable;
  std::vector<Places> members;
};

Reading read_all(CellSequences& cells, const PerturbationQuestion& question,
                 const StateWords& words, std::vector<std::int64_t>& having) {
  Reading out;
  const auto fields = cells.fields().size();
  const std::size_t field = words.field.empty() ? 0 : field_of(cells, words.field);
  std::vector<std::int64_t> state;
  if (!words.field.empty()) state = state_of_code(cells.fields()[field], words);
  out.members.resize(words.names().size());
  for (std::int64_t begin = 0; begin < cells.cells(); begin += kWindow) {
    const auto part = cells.read(begin, std::min(begin + kWindow, cells.cells()));
    for (std::int64_t i = 0; i < part.sequences.size(); ++i) {
      const auto tokens = part.sequences[i];
      out.lengths.push_back(static_cast<std::int32_t>(tokens.size()));
      const std::size_t specials = question.rules.special_tokens ? 2 : 0;
      std::int64_t own = -1;
      if (!state.empty()) {
        const auto code = part.labels[static_cast<std::size_t>(i) * fields + field];
        if (code >= 0) own = state[static_cast<std::size_t>(code)];
        if (own >= 0 && tokens.size() > specials)
          out.members[static_cast<std::size_t>(own)].push_back(begin + i);
      }
      if ((state.empty() || own == 0) && is_askable(question, tokens))
        out.askable.push_back(begin + i);
      for (std::size_t g = 0; g < question.genes.size(); ++g)
        having[g] += std::find(tokens.begin(), tokens.end(), question.genes[g]) != tokens.end();
    }
    out.codes.insert(out.codes.end(), part.labels.begin(), part.labels.end());
  }
  return out;
}

void refuse_empty(const CellSequences& cells, const Reading& read, const StateWords& words) {
  for (std::size_t s = 0; s < read.members.size(); ++s)
    if (read.members[s].empty())
      throw DataError({{}, {}, {}, {}},
                      fmt::format("no cell with genes of the dictionary has {} = {}", words.field,
                                  words.names()[s]));
  if (read.askable.empty())
    throw DataError(
        {{},
         {},
         "a cell that has the genes to perturb",
         fmt::format("none of {} cells", cells.cells())},
        "there is nothing to perturb",
        "overexpress takes cells that lack a gene; a group and an anchor must be there whole");
}

}  // namespace

std::vector<std::string> StateWords::names() const {
  if (field.empty()) return {};
  std::vector<std::string> out = {start, goal};
  out.insert(out.end(), alternatives.begin(), alternatives.end());
  return out;
}

Survey survey(CellSequences& cells, const PerturbationQuestion& question,
              const SurveyOptions& options) {
  Survey out;
  out.having.resize(question.genes.size());
  Reading read = read_all(cells, question, options.states, out.having);
  refuse_empty(cells, read, options.states);
  out.candidates = static_cast<std::int64_t>(read.askable.size());
  out.cells = draw_cells(std::move(read.askable), read.lengths, options.max_cells);
  for (Places& members : read.members) {
    out.members.push_back(draw_cells(std::move(members), read.lengths, options.state_cells));
    std::sort(out.members.back().begin(), out.members.back().end());
  }
  const auto fields = cells.fields().size();
  for (std::size_t f = 0; f < fields; ++f) {
    Categorical values{{}, cells.fields()[f].categories};
    for (const std::int64_t cell : out.cells)
      values.codes.push_back(read.codes[static_cast<std::size_t>(cell) * fields + f]);
    out.labels.push_back({cells.fields()[f].name, std::move(values)});
  }
  return out;
}

data::Sequences take(CellSequences& cells, const std::vector<std::int64_t>& places) {
  std::vector<std::size_t> rising(places.size());
  std::iota(rising.begin(), rising.end(), std::size_t{0});
  std::sort(rising.begin(), rising.end(), [&](auto a, auto b) { return places[a] < places[b]; });
  std::vector<std::vector<std::int32_t>> found(places.size());
  for (std::size_t i = 0; i < rising.size();) {
    std::size_t end = i + 1;
    while (end < rising.size() && end - i < static_cast<std::size_t>(kWindow) &&
           places[rising[end]] == places[rising[end - 1]] + 1)
      ++end;
    const auto part = cells.read(places[rising[i]], places[rising[end - 1]] + 1);
    for (std::size_t k = i; k < end; ++k) {
      const auto tokens = part.sequences[static_cast<std::int64_t>(k - i)];
      found[rising[k]].assign(tokens.begin(), tokens.end());
    }
    i = end;
  }
  data::Sequences out;
  for (const auto& tokens : found) out.append(tokens);
  return out;
}

}  // namespace cellmill::infer
