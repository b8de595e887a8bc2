#!/bin/bash
# The disks of the drivers' benchmark, a filesystem each without a partition table, made by its own tools.
#
#   drivers.sh NAME     builds it when it is not in the cache, prints its path
#   drivers.sh --tree   prints the folder of the files
#
# Each NAME is a function of that name below: `$1` is the image to make, `$tree` the files. A further driver is a further
# function (and a line in bench/drivers.mjs).
#
#   NAME           /boot holds a kernel, small.img of 1 KiB and initrd.img of 100 MB, which packs as programs do
#   frag-NAME      plain.img and fragmented.img of 106 MB, the latter in about 2,000 extents
#   names-NAME-N   /boot holds N further names
#
# Cache: ${NODEGRUB_CACHE:-~/.cache/nodegrub}/drivers/NAME-KEY.img; KEY names what makes it. Needs root; loop mounts for frag-…
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
cache=${NODEGRUB_CACHE:-$HOME/.cache/nodegrub}/drivers
MB=1000000
configuration() { # ENTRY=INITRD…
  echo 'set timeout=0'
  local name
  for name in "$@"; do printf "menuentry %s {\n linux /boot/vmlinuz ro\n initrd /boot/%s\n}\n" "$name" "$name"; done
}

# ---- the files
files() {
  mkdir -p "$1/boot/grub"
  configuration initrd.img small.img >"$1/boot/grub/grub.cfg"
  head -c 65536 /dev/urandom >"$1/boot/vmlinuz"; head -c 1024 /dev/urandom >"$1/boot/small.img"
  # Programs and libraries in the order of their names.
  { find /usr/lib /usr/bin /usr/share -xdev -type f -size +20k -print0 || :; } | sort -z | xargs -0 cat 2>/dev/null |
    head -c $((100 * MB)) >"$1/boot/initrd.img" || :
  [ "$(stat -c %s "$1/boot/initrd.img")" = $((100 * MB)) ]
}
names() { # FOLDER N
  mkdir -p "$1/boot/grub"
  configuration small.img >"$1/boot/grub/grub.cfg"
  head -c 65536 /dev/urandom >"$1/boot/vmlinuz"; head -c 1024 /dev/urandom >"$1/boot/small.img"
  python3 -c 'import os, sys
for n in range(int(sys.argv[2])): os.close(os.open("%s/boot/config-6.1.0-%06d-amd64" % (sys.argv[1], n), os.O_CREAT | os.O_WRONLY))' "$1" "$2"
}

# ---- the filesystems
ext4() { truncate -s 200M "$1"; mke2fs -q -F -t ext4 -d "$tree" "$1"; }
# mkfs.vfat takes clusters of 4 KiB on a disk of this size, as on an ESP of 512 MiB, and of 512 bytes on one of 200 MiB.
vfat() { truncate -s 512M "$1"; mkfs.vfat -F 32 "$1" >/dev/null; mcopy -s -i "$1" "$tree/boot" ::/; }
vfat-512() { truncate -s 200M "$1"; mkfs.vfat -F 32 "$1" >/dev/null; mcopy -s -i "$1" "$tree/boot" ::/; }
iso9660() { xorriso -as mkisofs -quiet -R -o "$1" "$tree" 2>/dev/null; }
xfs() {
  truncate -s 400M "$1"
  python3 - "$tree" >"$1.proto" <<'P'
import os, sys
print('/dummy\n0 0\nd--755 0 0')
def put(path):
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        if entry.is_dir(): print(entry.name, 'd--755 0 0'); put(entry.path); print('$')
        else: print(entry.name, '---644 0 0', entry.path)
put(sys.argv[1]); print('$')
P
  mkfs.xfs -q -f -p "$1.proto" "$1"; rm "$1.proto"
}
btrfs() { truncate -s 400M "$1"; mkfs.btrfs -q -f -m single --rootdir "$tree" "$1" >/dev/null; }
squashfs-gzip() { mksquashfs "$tree" "$1" -comp gzip -noappend -quiet -no-progress >/dev/null; }
squashfs-xz() { mksquashfs "$tree" "$1" -comp xz -noappend -quiet -no-progress >/dev/null; }
squashfs-zstd() { mksquashfs "$tree" "$1" -comp zstd -noappend -quiet -no-progress >/dev/null; }
erofs() { mkfs.erofs --quiet "$1" "$tree" >/dev/null; }
erofs-lz4() { mkfs.erofs --quiet -zlz4 "$1" "$tree" >/dev/null; }
udf() { genisoimage -quiet -udf -R -o "$1" "$tree"; }
f2fs() { truncate -s 400M "$1"; mkfs.f2fs -q "$1" >/dev/null; sload.f2fs -f "$tree" "$1" >/dev/null; }
romfs() { genromfs -f "$1" -d "$tree"; }
cpio() { (cd "$tree" && find . | LC_ALL=C sort | command cpio --quiet -o -H newc) >"$1"; }
tar() { command tar -C "$tree" --sort=name -cf "$1" boot; }
through_fuse() { # IMAGE MOUNT-COMMAND…
  mkdir "$1.mnt"; "${@:2}" "$1" "$1.mnt" >/dev/null; cp -r "$tree/." "$1.mnt/"; umount "$1.mnt"; rmdir "$1.mnt"
}
exfat() {
  truncate -s 400M "$1"; mkfs.exfat "$1" >/dev/null
  local device; device=$(losetup -f --show "$1")
  mkdir "$1.mnt"; mount.exfat-fuse "$device" "$1.mnt" >/dev/null; cp -r "$tree/." "$1.mnt/"; umount "$1.mnt"; rmdir "$1.mnt"
  losetup -d "$device"
}
ntfs() { truncate -s 400M "$1"; mkntfs -q -F -f "$1" >/dev/null 2>&1; through_fuse "$1" ntfs-3g; }
ufs2() { makefs -t ffs -o version=2 -s 200m "$1" "$tree" >/dev/null; }
# Those that only a kernel writes: test/peers/uml.sh has one.
nilfs2() { truncate -s 400M "$1"; mkfs.nilfs2 -q "$1"; in_linux "$1" nilfs2 fs/nilfs2/nilfs2; }
minix3() { truncate -s 200M "$1"; mkfs.minix -3 -i 128 "$1" >/dev/null; in_linux "$1" minix fs/minix/minix; }
in_linux() { # IMAGE TYPE MODULE
  mkdir "$1.mnt"
  echo "mount -i -t $2 -o loop '$1' '$1.mnt' && cp -r '$tree/.' '$1.mnt/' && umount -i '$1.mnt'" >"$1.sh"
  UML_MODULES=$3 bash "$here/../../test/peers/uml.sh" "$1.sh"; rm "$1.sh"; rmdir "$1.mnt"
}

# ---- fragments: ext4 is left no space but pieces; the others write each piece where it is written next
pieces() { # FOLDER HOW
  python3 - "$1" "$2" <<'P'
import ctypes, os, random, sys
top, how = sys.argv[1:]
count, piece = 2000, 13 * 4096
def synced(name):
    return os.open(f'{top}/boot/{name}', os.O_RDWR | os.O_CREAT)
plain = synced('plain.img'); os.write(plain, os.urandom(count * piece)); os.fsync(plain)
if how == 'shuffled':
    order = list(range(count)); random.seed(1); random.shuffle(order)
    fd = synced('fragmented.img')
    for i in order: os.pwrite(fd, os.urandom(piece), i * piece); os.fsync(fd)
else:
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    def call(fd, mode, at, length):
        if fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(length)): raise OSError(ctypes.get_errno(), 'fallocate')
    filler = os.open(f'{top}/filler', os.O_RDWR | os.O_CREAT); call(filler, 0, 0, 2 * (count + 100) * piece)
    rest = os.open(f'{top}/rest', os.O_RDWR | os.O_CREAT); at, size = 0, 1 << 20
    while size >= 4096:
        try: call(rest, 0, at, size); at += size
        except OSError: size >>= 1
    os.fsync(filler); os.fsync(rest)
    for i in range(count + 100): call(filler, 3, 2 * i * piece, piece)
    os.fsync(filler)
    fd = synced('fragmented.img')
    for i in range(count): os.write(fd, os.urandom(piece))
    os.fsync(fd)
P
}
fragmented() { # IMAGE HOW
  mkdir "$1.mnt"; mount -o loop "$1" "$1.mnt"
  # shellcheck disable=SC2064
  trap "umount '$1.mnt'" EXIT
  mkdir -p "$1.mnt/boot/grub"; configuration plain.img fragmented.img small.img >"$1.mnt/boot/grub/grub.cfg"
  head -c 65536 /dev/urandom >"$1.mnt/boot/vmlinuz"; head -c 1024 /dev/urandom >"$1.mnt/boot/small.img"
  pieces "$1.mnt" "$2"
  local found
  found=$(filefrag "$1.mnt/boot/fragmented.img" | sed -n 's/.*: \([0-9]*\) extents.*/\1/p')
  umount "$1.mnt"; trap - EXIT; rmdir "$1.mnt"
  [ "$found" -ge 1800 ] && [ "$found" -le 2200 ] || { echo "drivers.sh: $1: $found extents" >&2; exit 1; }
}
frag-ext4() { truncate -s 380M "$1"; mke2fs -q -F -t ext4 -m 0 "$1"; fragmented "$1" punched; }
frag-xfs() { truncate -s 400M "$1"; mkfs.xfs -q -f "$1"; fragmented "$1" shuffled; }
frag-btrfs() { truncate -s 400M "$1"; mkfs.btrfs -q -f -m single "$1" >/dev/null; fragmented "$1" shuffled; }

[ "$(id -u)" = 0 ] || { echo 'drivers.sh: needs root' >&2; exit 77; }
name=$1
mkdir -p "$cache"; exec 9>"$cache/lock"; flock 9
key() { declare -f "$@" | sha256sum | cut -c1-12; }
kept() { # PATH: older ones of the same name go
  [ -e "$1" ] && return
  rm -rf "${1%-*}"-????????????* && false
}
tree=$cache/tree-$(key files configuration)
made_tree() { kept "$tree" || { rm -rf "$cache/making"; mkdir "$cache/making"; files "$cache/making/tree"; mv "$cache/making/tree" "$tree"; }; }
case $name in
  --tree) made_tree; echo "$tree"; exit ;;
  frag-*) image=$cache/$name-$(key "$name" configuration pieces fragmented).img ;;
  names-*) of=${name#names-}; count=${of##*-}; of=${of%-*}; image=$cache/$name-$(key "$of" names configuration).img ;;
  *) image=$cache/$name-$(key "$name" files configuration).img ;;
esac
if ! kept "$image"; then
  echo "drivers.sh: makes $name" >&2
  case $name in frag-* | names-*) ;; *) made_tree ;; esac
  rm -rf "$cache/making"; mkdir "$cache/making"
  case $name in
    frag-*) "$name" "$cache/making/image" ;;
    names-*) tree=$cache/making/tree; names "$tree" "$count"; "$of" "$cache/making/image" ;;
    *) "$name" "$cache/making/image" ;;
  esac
  mv "$cache/making/image" "$image"; rm -rf "$cache/making"
fi
echo "$image"
