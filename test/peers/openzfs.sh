#!/bin/bash
# openzfs.sh FOLDER: OpenZFS without a kernel. Puts into FOLDER zfs-make (fixtures/recipes/zfs-make.c, made with Debian's
# libzpool) and zdb. The packages are of Debian's component contrib, which is not among a machine's sources: they are
# fetched with lists of their own, from the mirror that the machine uses, and unpacked into FOLDER; nothing is installed.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
to=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ ! -x "$to/zfs-make" ] || exit 0
mkdir -p "$to/apt/lists/partial" "$to/apt/cache/archives/partial" "$to/debs" "$to/root" "$to/stub/sys"
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) contrib' 'Created-By: Packages' 'Component: main' |
  grep -E '^deb [^ ]*debian/? ' | sort -u >"$to/apt/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$to/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$to/apt/lists" -o "Dir::Cache=$to/apt/cache" -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0)
"${apt[@]}" update
(cd "$to/debs" && "${apt[@]}" download libzpool5linux libnvpair3linux libuutil3linux libzfs4linux libzfslinux-dev zfsutils-linux)
for deb in "$to"/debs/*.deb; do dpkg-deb -x "$deb" "$to/root"; done
lib=$to/root/lib/x86_64-linux-gnu
: >"$to/stub/sys/zfs_ioctl.h" # named by a header that is there, itself left out of the package
gcc -O1 -w -D_GNU_SOURCE -D_LARGEFILE64_SOURCE -I"$to/stub" -I"$to/root/usr/include/libspl" -I"$to/root/usr/include/libzfs" \
  -o "$to/zfs-make" "$here/../../fixtures/recipes/zfs-make.c" -L"$lib" -l:libzpool.so.5 -l:libnvpair.so.3 -lpthread -ldl -rdynamic \
  -Wl,--disable-new-dtags -Wl,-rpath,"$lib"
printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$lib" "$to/root/sbin/zdb" >"$to/zdb"; chmod +x "$to/zdb"
