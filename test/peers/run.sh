#!/bin/bash
# Installs the peers, makes the disks that the tests share, runs every test of this folder. Skips are shown with reasons.
#   run.sh [tap option or test file …]
set -euo pipefail
cd "$(dirname "$0")/../.."
bash test/peers/install.sh
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
files=() options=()
for a in "$@"; do case $a in *.test.ts) files+=("$a") ;; *) options+=("$a") ;; esac; done
[ ${#files[@]} -gt 0 ] || files=(test/peers/*.test.ts)
# files named on the command line are run although package.json keeps them out of `npm test`
exec npx tap run --timeout=600 --jobs="$(nproc)" "${options[@]}" "${files[@]}"
