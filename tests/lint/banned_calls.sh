#!/usr/bin/env bash
# Calls that have one place, or none, in this house. Each line below: the pattern,
# the files where it is right, and what to use instead.
set -uo pipefail
bad=0
ban() { # ban PATTERN ALLOWED_FILES_REGEX INSTEAD
  local found
  found=$(grep -rnE --include='*.cc' --include='*.h' "$1" daemon collectors rules |
    grep -vE "^($2):" | grep -vE '^[^:]+:[0-9]+: *//')
  if [[ -n "$found" ]]; then
    printf '%s\n    -> %s\n' "$found" "$3"
    bad=1
  fi
}
none='no file'
ban '\bstd::regex\b|<regex>' "$none" 'RE2: std::regex overflows the stack on hostile input'
ban '\b(std::)?(stoi|stol|stoll|stoul|stoull|stod|stof|atoi|atol|atof|strtod|strtol|strtoul)\(' \
  "$none" 'ParseInt and ParseDouble of base/text.h'
ban 'system_clock::now|steady_clock::now' 'daemon/base/clock\.cc' 'a Clock'
ban 'sleep_for|sleep_until|\busleep\(|\bsleep\(' "$none" 'Executor::RunAt'
ban 'std::format\b|std::views|source_location' "$none" 'not in GCC 12 or Clang 14; fmt'
ban 'using namespace' "$none" 'name what you use'
ban '\b(TODO|FIXME|XXX)\b' "$none" 'do it, or write it down in the issue'
exit $bad
