#!/bin/bash
# The benchmark, one command: installs the peers, makes the disks (cached), measures, prints a table.
# Options are those of bench.mjs: --rounds N, --rows a,b, --json FILE, --out DIR
set -euo pipefail
cd "$(dirname "$0")/.."
bash test/peers/install.sh
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
exec node bench/bench.mjs "$@"
