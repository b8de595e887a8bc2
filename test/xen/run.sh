#!/bin/bash
# Guests under a real Xen and xl, in an emulated machine: nodegrub's outcomes are asserted, pygrub's and PVGrub's shown. TAP on stdout,
# what the machine does meanwhile on stderr. See README.md.
#
#   run.sh [--only REGEX] [--report FILE] [--limit SECONDS] [--keep]
#     --only     of jobs by name, for instance `default|menu.*nodegrub`
#     --report   the table, as docs/toolstacks.md
#     --limit    the machine's time, default 7200 s
#     --keep     the folder with all logs stays, and is named at the end
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
only='' report='' limit=7200 keep=''
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=$2; shift ;;
    --report) report=$(readlink -m "$2"); shift ;;
    --limit) limit=$2; shift ;;
    --keep) keep=1 ;;
    *) sed -n '/^# /s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift
done
cache=$(bash "$here/prepare.sh")
export NODEGRUB_XEN_CACHE=$cache NODEGRUB_XEN_WORK=${TMPDIR:-/tmp} NODEGRUB_XEN_ONLY=$only NODEGRUB_XEN_REPORT=$report \
  NODEGRUB_XEN_LIMIT=$limit NODEGRUB_XEN_KEEP=$keep
cd "$here/../.."
exec node scripts/test.mjs --timeout=$((limit + 120)) test/xen/xen.test.ts
