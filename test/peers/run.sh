#!/bin/bash
# Installs the peers, makes the disks that the tests share, runs every test of this folder. Skips are shown with reasons.
#   run.sh [option of scripts/test.mjs, or test file …]
set -euo pipefail
cd "$(dirname "$0")/../.."
bash test/peers/install.sh
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
files=() options=()
for a in "$@"; do case $a in *.test.ts) files+=("$a") ;; *) options+=("$a") ;; esac; done
[ ${#files[@]} -gt 0 ] || files=(test/peers/*.test.ts)
# The disk that several tests share takes minutes; who needs it waits for its lock.
[ $# -gt 0 ] || bash bench/disks/debian12.sh >/dev/null 2>&1 &
# The longest first, so that none is left for the end.
exec node scripts/test.mjs --timeout=900 --jobs="$((2 * $(nproc)))" \
  --first=packages,jfs-reiserfs,kill,btrfs,fat,growth,ext.test,cramfs,udf "${options[@]}" "${files[@]}"
