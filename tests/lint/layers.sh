#!/usr/bin/env bash
# Fails for every #include that reaches into a room that the including room may
# not use. The table is the one that CMakeLists.txt declares the rooms with.
set -euo pipefail
awk -F= -v table="$1" '
  function room_of(path,   best, room) {
    if (path ~ /^collectors\/(advice|collector|kinds)\.h$/) return "collectors/contract"
    if (path == "collectors/advice.cc") return "collectors/contract"
    if (path == "collectors/kinds.cc") return "collectors/kinds"
    best = ""
    for (room in uses)
      if (index(path, room "/") == 1 && length(room) > length(best)) best = room
    return best
  }
  BEGIN {
    while ((getline line < table) > 0) {
      split(line, parts, "=")
      uses[parts[1]] = "," parts[2] ","
    }
    find = "find daemon collectors rules -name \"*.h\" -o -name \"*.cc\""
    while ((find | getline file) > 0) {
      from = room_of(file)
      number = 0
      while ((getline line < file) > 0) {
        number++
        if (line !~ /^#include "/) continue
        split(line, quoted, "\"")
        path = quoted[2]
        if (path ~ /\.pb\.h$/) continue
        to = room_of(path)
        if (from == "" && file == "daemon/main.cc") continue
        if (to == "") { printf "%s:%d: include \"%s\" from the root of the repository\n", file, number, path; bad = 1 }
        else if (to != from && index(uses[from], "," to ",") == 0) {
          printf "%s:%d: %s may not include %s (\"%s\")\n", file, number, from, to, path; bad = 1
        }
      }
      close(file)
    }
    exit bad
  }'
