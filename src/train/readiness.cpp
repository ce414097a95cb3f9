#include "train/readiness.h"

#include <algorithm>
#include <array>

#include "base/format.h"

namespace cellmill::train {
namespace {

using Level = Finding::Level;

constexpr std::array<const char*, 4> kNames = {"ok", "note", "warning", "STOP"};

const char* name_of(Level level) { return kNames[static_cast<std::size_t>(level)]; }

}  // namespace

bool Findings::look(const std::string& what, const std::function<void()>& look) {
  try {
    look();
    return true;
  } catch (const Error& error) {
    stop(what, error.what(), error.hint(), static_cast<int>(error.code()));
  } catch (const std::exception& error) {
    stop(what, error.what(), "", static_cast<int>(Exit::kInternal));
  }
  return false;
}

int Findings::exit_code() const {
  const auto stopped = std::find_if(list_.begin(), list_.end(),
                                    [](const Finding& f) { return f.level == Level::kStop; });
  return stopped == list_.end() ? 0 : stopped->code;
}

std::string text_of(const Findings& findings) {
  std::size_t width = 8;
  for (const Finding& f : findings.list()) width = std::max(width, f.what.size());
  std::string text;
  for (const Finding& f : findings.list()) {
    text += fmt::format("{:<8} {:<{}}  {}\n", name_of(f.level), f.what, width, f.found);
    if (!f.remedy.empty()) text += fmt::format("{:<{}}  -> {}\n", "", width + 9, f.remedy);
  }
  const auto count = [&](Level level) {
    return std::count_if(findings.list().begin(), findings.list().end(),
                         [&](const Finding& f) { return f.level == level; });
  };
  const auto stops = count(Level::kStop), warnings = count(Level::kWarning);
  text += stops > 0 ? fmt::format("\n{} of these would stop a run", stops)
                    : std::string("\nnothing here would stop a run");
  if (warnings > 0) text += fmt::format("; {} warning{}", warnings, warnings > 1 ? "s" : "");
  return text;
}

io::Json json_of(const Findings& findings) {
  io::Json list = io::Json::array();
  for (const Finding& f : findings.list())
    list.push_back({{"level", name_of(f.level)},
                    {"what", f.what},
                    {"found", f.found},
                    {"remedy", f.remedy},
                    {"code", f.level == Level::kStop ? f.code : 0}});
  return {{"exit_code", findings.exit_code()}, {"findings", std::move(list)}};
}

Findings findings_of(const io::Json& json) {
  Findings findings;
  for (const auto& f : json.at("findings")) {
    const auto name = f.at("level").get<std::string>();
    const auto level = std::find(kNames.begin(), kNames.end(), name) - kNames.begin();
    findings.add({static_cast<Level>(level), f.at("what"), f.at("found"), f.at("remedy"),
                  f.at("code").get<int>()});
  }
  return findings;
}

Findings joined(const std::vector<std::pair<std::string, Findings>>& by_host) {
  Findings all;
  std::vector<std::pair<Finding, std::vector<std::string>>> said;
  for (const auto& [host, findings] : by_host)
    for (const Finding& finding : findings.list()) {
      const auto same =
          std::find_if(said.begin(), said.end(), [&](const auto& s) { return s.first == finding; });
      if (same == said.end())
        said.push_back({finding, {host}});
      else
        same->second.push_back(host);
    }
  for (auto& [finding, hosts] : said) {
    if (hosts.size() < by_host.size())
      finding.found += fmt::format(" ({})", fmt::join(hosts, ", "));
    else if (hosts.size() > 1)
      finding.found += fmt::format(" (all {} hosts)", hosts.size());
    all.add(finding);
  }
  return all;
}

}  // namespace cellmill::train
