#!/bin/bash
# The benchmark, one command: installs the peers, makes the disks (cached), measures, prints a table.
# Options are those of bench.mjs: --rounds N, --rows a,b, --json FILE, --out DIR
# With `drivers`, `formats`, `nbd` or `jobs` first, that benchmark (bench/NAME.mjs says what it measures and takes): --report docs/bench-NAME.md
set -euo pipefail
cd "$(dirname "$0")/.."
bash test/peers/install.sh
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
case "${1:-}" in drivers | formats | nbd | jobs) name=$1; shift; exec node "bench/$name.mjs" "$@" ;; esac
exec node bench/bench.mjs "$@"
