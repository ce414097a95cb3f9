#include "app/completion.h"

#include "base/format.h"

namespace cellmill::app {
namespace {

// bash splits words at "="; zsh's emulation does not.
constexpr const char* kBash = R"BASH(_cellmill() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} key= option= found= i
  for ((i = COMP_CWORD - 1; i > 1; --i)); do
    case ${COMP_WORDS[i]} in --*) option=${COMP_WORDS[i]}; break ;; esac
  done
  if [ "$option" = --set ] && [ "$word" = = ]; then
    key=$previous word=
  elif [ "$option" = --set ] && [ "$previous" = = ]; then
    key=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    found="$_cellmill_commands --help --version"
  elif [[ $word == -* ]]; then
    found=$(cellmill "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- ' --[a-z-]+' | sort -u)
  elif [ -n "$key" ]; then
    for i in $_cellmill_values; do [[ $i == "$key="* ]] && found+=" ${i#*=}"; done
  elif [ "$option" = --set ] && [[ $word == *=* ]]; then
    found=$_cellmill_values
  elif [ "$option" = --set ]; then
    COMPREPLY=($(compgen -S = -W "$_cellmill_keys" -- "$word"))
    compopt -o nospace 2>/dev/null
    return
  elif [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = config ]; then
    found=$_cellmill_actions
  elif [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = completion ]; then
    found=$_cellmill_shells
  else
    COMPREPLY=($(compgen -f -- "$word"))
    compopt -o filenames 2>/dev/null
    return
  fi
  COMPREPLY=($(compgen -W "$found" -- "$word"))
}
complete -F _cellmill cellmill
)BASH";

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

}  // namespace

std::vector<std::string> config_actions() { return {"explain", "check", "dump", "help"}; }
std::vector<std::string> shells() { return {"bash", "zsh", "fish"}; }

std::string bash_completion(const std::vector<Command>& commands,
                            const std::vector<config::Key>& keys) {
  std::string names, settings, values;
  for (const Command& command : commands) names += command.name + " ";
  for (const config::Key& key : keys) {
    settings += key.key + " ";
    for (const std::string& choice : key.choices) values += key.key + "=" + choice + " ";
  }
  return fmt::format(
      "_cellmill_commands='{}'\n_cellmill_keys='{}'\n_cellmill_values='{}'\n"
      "_cellmill_actions='{}'\n_cellmill_shells='{}'\n{}",
      names, settings, values, fmt::join(config_actions(), " "), fmt::join(shells(), " "), kBash);
}

std::string zsh_completion(const std::vector<Command>& commands,
                           const std::vector<config::Key>& keys) {
  return "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" +
         bash_completion(commands, keys);
}

std::string fish_completion(const std::vector<Command>& commands,
                            const std::vector<config::Key>& keys) {
  std::string text =
      "complete -c cellmill -l help -d 'what it does, and its options'\n"
      "complete -c cellmill -l config -r -d 'run files'\n";
  for (const Command& command : commands)
    text += fmt::format("complete -c cellmill -n __fish_use_subcommand -f -a {} -d {}\n",
                        command.name, quoted(command.summary));
  for (const config::Key& key : keys) {
    text += fmt::format("complete -c cellmill -l set -x -a {}= -d {}\n", key.key, quoted(key.help));
    for (const std::string& choice : key.choices)
      text += fmt::format("complete -c cellmill -l set -x -a {}={}\n", key.key, choice);
  }
  text +=
      "complete -c cellmill -n 'string match -q -- \"-*\" (commandline -ct)' -f -a \"(cellmill "
      "(commandline -opc)[2] --help 2>/dev/null | string match -r -- '^ +--[a-z-]+' | string "
      "trim)\"\n";
  return text + fmt::format(
                    "complete -c cellmill -n '__fish_seen_subcommand_from config' -f -a '{}'\n"
                    "complete -c cellmill -n '__fish_seen_subcommand_from completion' -f -a '{}'\n",
                    fmt::join(config_actions(), " "), fmt::join(shells(), " "));
}

}  // namespace cellmill::app
