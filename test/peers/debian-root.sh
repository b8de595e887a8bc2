#!/bin/bash
# The files of a minimal Debian 12 with its Node 18 and what the package recommends, to install packages into.
#
#   debian-root.sh        makes it if it is not in the cache, prints its folder; which nobody may change (mount an overlay)
#
# Cache: ${NODEGRUB_CACHE:-~/.cache/nodegrub}/node18-root-KEY/root; KEY names this script's text. Needs root and debootstrap; status 77 and
# one line on stderr without root.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DPKG_FORCE=unsafe-io PATH=$PATH:/usr/sbin:/sbin
self=$(readlink -f "$0")
cache=${NODEGRUB_CACHE:-$HOME/.cache/nodegrub}
key=$(sha256sum "$self" | cut -c1-12)
dir=$cache/node18-root-$key
if [ -e "$dir/done" ]; then echo "$dir/root"; exit 0; fi
[ "$(id -u)" = 0 ] || { echo "debian-root.sh: needs root" >&2; exit 77; }
mkdir -p "$cache"
exec 9>"$cache/node18-root.lock"; flock 9
if [ -e "$dir/done" ]; then echo "$dir/root"; exit 0; fi
rm -rf "$cache"/node18-root-*; mkdir -p "$dir"
exec 8>&2
trap 'echo "debian-root.sh: failed; the end of $dir/build.log:" >&8; tail -n 15 "$dir/build.log" >&8' ERR
# the mirror that this machine's own apt uses
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u | grep -m1 'debian/*$')}
{
  debootstrap --variant=minbase --include=nodejs,bubblewrap,bash-completion,zsh,man-db bookworm "$dir/root" "$mirror"
  # Node's own package stays: to be installed once more, as an update would be
  mv "$dir"/root/var/cache/apt/archives/nodejs_*.deb "$dir/root/var/nodejs.deb"
  rm -rf "$dir"/root/var/cache/apt/archives/*.deb "$dir"/root/var/lib/apt/lists/*
} >"$dir/build.log" 2>&1
touch "$dir/done"
echo "$dir/root"
