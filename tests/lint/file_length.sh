#!/usr/bin/env bash
# Files are about 400 lines at most: longer ones hide a second subject. Lines have
# at most 100 characters.
set -uo pipefail
bad=0
while read -r lines file; do
  limit=450
  [[ "$file" == tests/* ]] && limit=700
  if [[ "$file" != total && "$lines" -gt "$limit" ]]; then
    echo "$file: $lines lines, more than $limit: split it by subject"
    bad=1
  fi
done < <(find daemon collectors rules tests -name '*.cc' -o -name '*.h' | xargs wc -l)
exit $bad
