#!/bin/bash
# The benchmark, one command: installs the peers, makes the disks (cached), measures, prints a table.
# Options are those of bench.mjs: --rounds N, --rows a,b, --json FILE, --out DIR
# With `drivers` first, the drivers' own speeds: --rounds N, --rows a,b, --report docs/bench-drivers.md, --out DIR
set -euo pipefail
cd "$(dirname "$0")/.."
bash test/peers/install.sh
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
if [ "${1:-}" = drivers ]; then shift; exec node bench/drivers.mjs "$@"; fi
exec node bench/bench.mjs "$@"
