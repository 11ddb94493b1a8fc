#!/usr/bin/env bash
# A source includes its own header before any other, so that a header that leans on
# what others include does not build. Headers without a source are built alone instead.
set -uo pipefail
bad=0
while read -r header; do
  source=${header%.h}.cc
  [[ -f "$source" ]] || continue
  if [[ "$(grep -m1 '^#include' "$source")" != "#include \"$header\"" ]]; then
    echo "$source: its first include is not \"$header\""
    bad=1
  fi
done < <(find daemon collectors rules tests -name '*.h')
exit $bad
