#!/usr/bin/env bash
# The lock annotations (GUARDED_BY, REQUIRES_LOCK), checked by Clang's thread safety
# analysis: every source that takes a lock or includes a header that names one.
# thread_safety.sh COMPILE_COMMANDS [SOURCE…]
set -euo pipefail
commands=$1
shift
annotated='MutexLock|GUARDED_BY|REQUIRES_LOCK'
if [[ $# -eq 0 ]]; then
  headers=$(grep -rlE "$annotated" --include='*.h' daemon collectors rules | sed 's/.*/#include "&"/')
  mapfile -t sources < <({
    grep -rlE "$annotated" --include='*.cc' daemon collectors rules
    grep -rlF "$headers" --include='*.cc' daemon collectors rules
  } | sort -u)
  set -- "${sources[@]}"
fi
[[ $# -gt 0 ]] || { echo "no source takes a lock: the pattern is wrong" >&2; exit 1; }

# The standard library's headers are most of each source: parsed once for all.
precompiled=$(mktemp -d)
trap 'rm -rf "$precompiled"' EXIT
printf '#include <%s>\n' algorithm chrono cstdint functional map memory optional set string \
  string_view unordered_map utility variant vector >"$precompiled/standard.h"
clang++ -std=c++20 -D_FILE_OFFSET_BITS=64 -x c++-header "$precompiled/standard.h" \
  -o "$precompiled/standard.pch"
export precompiled

analyse() { # analyse COMPILE_COMMANDS SOURCE
  local command flags
  command=$(grep -F -B1 "\"file\": \"$PWD/$2\"" "$1" | sed -n 's/\\"/"/g; s/^ *"command": "\(.*\)",$/\1/p')
  [[ -n "$command" ]] || { echo "$2: not in $1" >&2; return 1; }
  # What GCC is told where to look and what is defined; not its other flags.
  flags=$(grep -oE '(^| )-(I ?|isystem |D)[^ ]+' <<<"$command" | tr '\n' ' ')
  eval "clang++ -std=c++20 -include-pch $precompiled/standard.pch -fsyntax-only \
    -Wno-everything -Wthread-safety -Werror=thread-safety $flags $2"
}
export -f analyse
printf '%s\0' "$@" |
  nice xargs -0 -n 1 -P "$(nproc)" bash -c 'cd "$0" && analyse "$1" "$2"' "$PWD" "$commands"
