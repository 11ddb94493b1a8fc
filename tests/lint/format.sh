#!/usr/bin/env bash
# Every source file is formatted as .clang-format says.
set -uo pipefail
find daemon collectors rules tests -name '*.cc' -o -name '*.h' |
  xargs clang-format --dry-run --Werror
