#!/bin/bash
# The disks of the benchmark that no installer would make: GPT with one ext4 partition each.
#
#   synthetic.sh       builds what is not in the cache, prints the folder
#
#   payload102   kernel of 8 MB, initrd of 94 MB, contiguous
#   frag2000     initrd of 32 MB in 2,000 extents      frag5000   initrd of 40 MB in 5,000 extents
#   names-N      /boot holds 100,000 names of N bytes  entries-N  a grub.cfg with N entries as grub-mkconfig writes them
#
# Cache: ${NODEGRUB_CACHE:-~/.cache/nodegrub}/synthetic-KEY/NAME.img; KEY names this script's text. Needs root and
# loop mounts (fragments come from the kernel's own allocator); status 77 and one line when the kernel has none.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
self=$(readlink -f "$0")
cache=${NODEGRUB_CACHE:-$HOME/.cache/nodegrub}
dir=$cache/synthetic-$(sha256sum "$self" | cut -c1-12)
if [ -e "$dir/done" ]; then echo "$dir"; exit 0; fi
mkdir -p "$cache"
exec 9>"$cache/synthetic.lock"; flock 9
if [ -e "$dir/done" ]; then echo "$dir"; exit 0; fi
rm -rf "$cache"/synthetic-*; mkdir -p "$dir/mnt"
m=$dir/mnt log=$dir/build.log
UUID=3c2b7f60-5d1e-4a0b-b8f1-9e6d0a1c2b3d
OFFSET=1048576
cleanup() { mountpoint -q "$m" && umount "$m" || :; }
trap cleanup EXIT
unable() { echo "synthetic.sh: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || unable "needs root"

# NAME SIZE_MB [mke2fs options]: a disk with one empty ext4 partition of that size
disk() {
  local img=$dir/$1.img
  truncate -s $(( ($2 + 2) << 20 )) "$img"
  printf 'label: gpt\nstart=2048, size=%d, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n' $(( $2 * 2048 )) |
    sfdisk -q "$img" >>"$log" 2>&1
  local kib=$(( $2 * 1024 )); shift 2
  mke2fs -q -F -t ext4 -b 4096 -m 0 -U $UUID -E offset=$OFFSET,lazy_itable_init=0 "$@" "$img" ${kib}k >>"$log" 2>&1
}
mounted() { mount -o loop,offset=$OFFSET "$dir/$1.img" "$m" 2>>"$log" || unable "cannot loop-mount: $(tail -n 1 "$log")"; }
checked() {
  cp "$dir/$1.img" "$dir/check.tmp"; tail -c +$((OFFSET + 1)) "$dir/check.tmp" >"$dir/check.part"
  e2fsck -fn "$dir/check.part" >>"$log" 2>&1 || { echo "synthetic.sh: $1: e2fsck finds errors, see $log" >&2; exit 1; }
  rm "$dir"/check.*
}
random() { head -c "$1" /dev/urandom; }
entry() { # NUMBER
  cat <<E
menuentry 'Debian GNU/Linux, with Linux 6.1.0-$1-amd64' --class debian --class gnu-linux \$menuentry_id_option 'gnulinux-6.1.0-$1-amd64' {
	load_video
	insmod gzio
	insmod part_gpt
	insmod ext2
	set root='hd0,gpt1'
	search --no-floppy --fs-uuid --set=root $UUID
	echo	'Loading Linux 6.1.0-$1 ...'
	linux	/boot/vmlinuz root=UUID=$UUID ro quiet nr=$1
	initrd	/boot/initrd.img
}
E
}
config() { # HOW_MANY DEFAULT
  printf 'set default="%s"\nset timeout=5\nmenuentry_id_option="--id"\nfunction load_video {\n  insmod all_video\n}\n' "$2"
  local one n
  one=$(entry @NR@)
  for (( n = 0; n < $1; n++ )); do printf '%s\n' "${one//@NR@/$(printf %05d $n)}"; done
}

# ---- contiguous
disk payload102 120
mounted payload102
mkdir -p "$m/boot/grub"; config 2 0 >"$m/boot/grub/grub.cfg"
random 8000000 >"$m/boot/vmlinuz"; random 94000000 >"$m/boot/initrd.img"; umount "$m"

# ---- fragments: all space is given away, then every other piece of it is freed, then the initrd is written
fragmented() { # NAME EXTENTS BLOCKS_EACH
  disk "$1" $(( ($2 * $3 * 2 * 4 >> 10) + 40 ))
  mounted "$1"
  mkdir -p "$m/boot/grub"; config 2 0 >"$m/boot/grub/grub.cfg"; random 2000000 >"$m/boot/vmlinuz"; sync -f "$m"
  python3 - "$m" "$2" "$3" <<'E'
import ctypes, os, sys
top, extents, blocks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
fallocate = ctypes.CDLL(None, use_errno=True).fallocate
def call(fd, mode, at, length):
    if fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(length)): raise OSError(ctypes.get_errno(), 'fallocate')
piece = blocks * 4096
filler = os.open(top + '/filler', os.O_RDWR | os.O_CREAT)
pieces = extents + 100                                # some for the extents' own index blocks
call(filler, 0, 0, 2 * pieces * piece)
rest = os.open(top + '/rest', os.O_RDWR | os.O_CREAT)
size = 1 << 20
at = 0
while size >= 4096:                                   # what is left over must not offer a long run
    try: call(rest, 0, at, size); at += size
    except OSError: size >>= 1
os.fsync(filler); os.fsync(rest)
for i in range(pieces): call(filler, 3, (2 * i) * piece, piece)
os.fsync(filler)
with open(top + '/boot/initrd.img', 'wb') as f:
    for i in range(extents): f.write(os.urandom(piece))
    f.flush(); os.fsync(f.fileno())
E
  local found
  found=$(filefrag "$m/boot/initrd.img" | sed -n 's/.*: \([0-9]*\) extents.*/\1/p')
  echo "$1: $found extents" >>"$log"
  umount "$m"
  [ "$found" -ge $(( $2 - 100 )) ] && [ "$found" -le $(( $2 + 100 )) ] ||
    { echo "synthetic.sh: $1 has $found extents, $2 were wanted" >&2; exit 1; }
}
fragmented frag2000 2000 4
fragmented frag5000 5000 2

# ---- 100,000 names beside the kernel: as long as kernels' are, and as long as names can well be
for length in 25 225; do
  disk names-$length 200 -N 110000
  mounted names-$length
  mkdir -p "$m/boot/grub"
  python3 - "$m/boot" $length <<'E'
import os, sys
for n in range(99997):
    name = ('config-6.1.0-%06d-amd64' % n).ljust(int(sys.argv[2]), 'x')
    os.close(os.open(sys.argv[1] + '/' + name, os.O_CREAT | os.O_WRONLY))
E
  config 2 0 >"$m/boot/grub/grub.cfg"
  random 65536 >"$m/boot/vmlinuz"; random 262144 >"$m/boot/initrd.img"
  [ "$(ls -U "$m/boot" | wc -l)" = 100000 ]
  umount "$m"
done

# ---- long menus; the last entry is the default. pygrub reads 1 MiB of a config
for n in 2300 10000; do
  disk entries-$n 24
  mounted entries-$n
  mkdir -p "$m/boot/grub"; config $n $((n - 1)) >"$m/boot/grub/grub.cfg"
  random 65536 >"$m/boot/vmlinuz"; random 262144 >"$m/boot/initrd.img"
  grub-script-check "$m/boot/grub/grub.cfg"
  size=$(stat -c %s "$m/boot/grub/grub.cfg")
  echo "entries-$n: grub.cfg of $size bytes" >>"$log"
  [ $n != 2300 ] || [ "$size" -lt 1048576 ]
  umount "$m"
done
for d in payload102 frag2000 frag5000 names-25 names-225 entries-2300 entries-10000; do checked $d; done
rmdir "$m"; touch "$dir/done"
echo "$dir"
