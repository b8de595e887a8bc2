#!/bin/bash
# A real Debian 12 guest disk, as an installer would leave it: GPT with a BIOS boot partition, an EFI system
# partition (FAT) and an ext4 root; debootstrap, Debian's kernel, initramfs-tools, grub-install for
# BIOS and EFI (signed, so that it writes its stub grub.cfg on the ESP) and grub-mkconfig, run in it.
#
#   debian12.sh        builds it if it is not in the cache, prints the image's path
#
# Cache: ${NODEGRUB_CACHE:-~/.cache/nodegrub}/debian12-KEY/{disk.img,disk.json}; KEY names this script's text.
# Needs root, loop devices, mount; status 77 and one line on stderr when the kernel does not give those.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DPKG_FORCE=unsafe-io PATH=$PATH:/usr/sbin:/sbin
self=$(readlink -f "$0")
cache=${NODEGRUB_CACHE:-$HOME/.cache/nodegrub}
key=$(sha256sum "$self" | cut -c1-12)
dir=$cache/debian12-$key
if [ -e "$dir/disk.json" ]; then echo "$dir/disk.img"; exit 0; fi

unable() { echo "debian12.sh: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || unable "needs root"
mkdir -p "$cache"
exec 9>"$cache/debian12.lock"; flock 9
if [ -e "$dir/disk.json" ]; then echo "$dir/disk.img"; exit 0; fi
rm -rf "$cache"/debian12-*; mkdir -p "$dir"
img=$dir/disk.tmp m=$dir/mnt log=$dir/build.log
# the mirrors that this machine's own apt uses
uris() { apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u; }
mirror=${MIRROR:-$(uris | grep -m1 'debian/*$')}
security=${SECMIRROR:-$(uris | grep -m1 'debian-security/*$' || :)}
loop=
cleanup() {
  for d in dev/pts dev proc sys boot/efi ''; do mountpoint -q "$m/$d" && umount "$m/$d" || :; done
  [ -z "$loop" ] || { partx -d "$loop" 2>/dev/null; losetup -d "$loop"; } || :
  # a sandbox started elsewhere may hold copies of the mounts for a moment, and until the last is gone not all is written
  for _ in {1..1000}; do [ -n "$(losetup -j "$img")" ] || break; sleep 0.05; done
}
trap cleanup EXIT
exec 8>&2
trap 'echo "debian12.sh: failed; the end of $log:" >&8; tail -n 15 "$log" >&8' ERR
{
  rm -f "$img"; truncate -s 1536M "$img"
  sfdisk -q "$img" <<'E'
label: gpt
label-id: 5B1D2B1A-6F4E-4B3C-8E0A-1D7C5A9F0E12
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="bios"
size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="esp"
type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name="root"
E
} >"$log" 2>&1
loop=$(losetup -P -f --show "$img" 2>>"$log") || unable "no loop device: $(tail -n 1 "$log")"
# some kernels do not scan by themselves, or only after a moment
[ -b "${loop}p3" ] || partx -a "$loop" >>"$log" 2>&1 || :
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -b "${loop}p3" ] && break; sleep 0.2; done
[ -b "${loop}p3" ] || unable "the kernel makes no partition devices on $loop"
mkfs.vfat -F 32 -i 1A2B3C4D -n ESP "${loop}p2" >>"$log" 2>&1
mke2fs -q -t ext4 -U 0d3c5a52-7a0a-4c1e-9f52-1c8e7b6a5d40 -L root "${loop}p3" >>"$log" 2>&1
mkdir -p "$m"; mount "${loop}p3" "$m" 2>>"$log" || unable "cannot mount: $(tail -n 1 "$log")"
{
  debootstrap --variant=minbase bookworm "$m" "$mirror"
  cp -L /etc/resolv.conf "$m/etc/resolv.conf" || :
  printf 'deb %s bookworm main\n' "$mirror" >"$m/etc/apt/sources.list"
  [ -z "$security" ] || printf 'deb %s bookworm-security main\n' "$security" >>"$m/etc/apt/sources.list"
  printf '#!/bin/sh\nexit 101\n' >"$m/usr/sbin/policy-rc.d"; chmod +x "$m/usr/sbin/policy-rc.d"
  echo force-unsafe-io >"$m/etc/dpkg/dpkg.cfg.d/unsafe"
  printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$m/etc/dpkg/dpkg.cfg.d/small"
  mkdir -p "$m/boot/efi"
  # a kernel without vfat: FUSE does it, and grub-install sees the same device behind it
  mount -t vfat "${loop}p2" "$m/boot/efi" 2>/dev/null || fusefat -o "rw+,fsname=${loop}p2" "${loop}p2" "$m/boot/efi"
  # a /dev of its own, with the links that udev would make: grub-mkconfig then writes root=UUID=
  mount -t tmpfs tmpfs "$m/dev"
  cp -a /dev/{null,zero,full,random,urandom,tty} "$loop" "${loop}"p? "$m/dev/"
  mkdir -p "$m"/dev/pts "$m"/dev/disk/by-uuid; ln -s fd/2 "$m/dev/stderr"; ln -s /proc/self/fd "$m/dev/fd"
  ln -s "../..${loop#/dev}p3" "$m/dev/disk/by-uuid/0d3c5a52-7a0a-4c1e-9f52-1c8e7b6a5d40"
  ln -s "../..${loop#/dev}p2" "$m/dev/disk/by-uuid/1A2B-3C4D"
  mount -t devpts devpts "$m/dev/pts"
  mount -t proc proc "$m/proc"; mount -t sysfs sysfs "$m/sys"
  cat >"$m/etc/fstab" <<'E'
UUID=0d3c5a52-7a0a-4c1e-9f52-1c8e7b6a5d40 / ext4 errors=remount-ro 0 1
UUID=1A2B-3C4D /boot/efi vfat umask=0077 0 1
E
  mkdir -p "$m/etc/default/grub.d"
  cat >"$m/etc/default/grub" <<'E'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="console=hvc0"
E
  chroot "$m" apt-get -q update
  # first, or the ramdisk is made twice
  chroot "$m" apt-get -qy --no-install-recommends install initramfs-tools zstd dmsetup
  chroot "$m" apt-get -qy --no-install-recommends install linux-image-amd64 \
    e2fsprogs grub2-common grub-pc-bin grub-efi-amd64-bin grub-efi-amd64-signed shim-signed
  mkdir -p "$m/boot/grub"; echo "(hd0) $loop" >"$m/boot/grub/device.map"   # the guest's first disk
  chroot "$m" grub-install --target=i386-pc "$loop"
  chroot "$m" grub-install --target=x86_64-efi --uefi-secure-boot --no-nvram
  chroot "$m" update-grub
  rm "$m/boot/grub/device.map"
  test -s "$m/boot/efi/EFI/debian/grub.cfg"
  grep -q "root=UUID=" "$m/boot/grub/grub.cfg"
  rm "$m/usr/sbin/policy-rc.d" "$m/etc/dpkg/dpkg.cfg.d/unsafe"
  chroot "$m" apt-get clean; rm -rf "$m"/var/lib/apt/lists/*
} >>"$log" 2>&1
kernel=$(cd "$m/boot" && ls vmlinuz-*) initrd=$(cd "$m/boot" && ls initrd.img-*)
sum() { sha256sum "$1" | cut -d' ' -f1; }
cat >"$dir/disk.json.tmp" <<E
{
  "volume": "gpt3",
  "uuid": "0d3c5a52-7a0a-4c1e-9f52-1c8e7b6a5d40",
  "kernel": { "path": "/boot/$kernel", "size": $(stat -c %s "$m/boot/$kernel"), "sha256": "$(sum "$m/boot/$kernel")" },
  "ramdisk": { "path": "/boot/$initrd", "size": $(stat -c %s "$m/boot/$initrd"), "sha256": "$(sum "$m/boot/$initrd")" }
}
E
cp "$m/boot/grub/grub.cfg" "$dir/grub.cfg"; cp "$m/boot/efi/EFI/debian/grub.cfg" "$dir/esp-grub.cfg"
cleanup; trap - EXIT; rmdir "$m"
# what the checker of the format says, before anybody trusts it
losetup -r -o $(( 135168 * 512 )) -f --show "$img" >"$dir/loop" && loop=$(cat "$dir/loop")
e2fsck -fn "$loop" >>"$log" 2>&1; losetup -d "$loop"; rm "$dir/loop"
sfdisk --verify "$img" >>"$log" 2>&1
mv "$img" "$dir/disk.img"; mv "$dir/disk.json.tmp" "$dir/disk.json"
echo "$dir/disk.img"
