#!/bin/bash
# Makes what the machine of test/xen is booted from, in the cache: Debian 12 as dom0 with its Xen, xl, pygrub, PVGrub and Node,
# and the guests' disks. Prints the cache's folder.
#
#   prepare.sh            what is missing is made; a finished part is used again
#
# Cache: ${XDG_CACHE_HOME:-/var/tmp}/nodegrub-xen/KEY, about 2 GB; KEY names this script and dom0/init.sh. Needs root (debootstrap);
# packages that the host lacks are installed with apt. dom0's files stay as a folder, too (root): what takes the emulated machine minutes
# is done in it beforehand.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive DPKG_FORCE=unsafe-io PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
cache=${XDG_CACHE_HOME:-/var/tmp}/nodegrub-xen
key=$(cat "$here/prepare.sh" "$here/dom0/init.sh" | sha256sum | cut -c1-12)
dir=$cache/$key
if [ -e "$dir/done" ]; then echo "$dir"; exit 0; fi
[ "$(id -u)" = 0 ] || { echo 'prepare.sh: needs root' >&2; exit 77; }
mkdir -p "$cache"
exec 9>"$cache/lock"; flock 9
if [ -e "$dir/done" ]; then echo "$dir"; exit 0; fi
say() { echo "prepare.sh: $*" >&2; }
mkdir -p "$dir"
log=$dir/prepare.log; : >"$log"
trap 'say "failed; the end of $log:"; tail -n 15 "$log" >&2' ERR

# ------------------------------------------------------------------ what the host needs
missing=()
for package in qemu-system-x86 seabios debootstrap e2fsprogs fdisk kmod cpio; do
  dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "apt-get install ${missing[*]}"
  { apt-get -q update && apt-get -qy --no-install-recommends install "${missing[@]}"; } >>"$log" 2>&1
fi

# ------------------------------------------------------------------ dom0's files
root=$dir/root
if [ ! -e "$dir/root.done" ]; then
  rm -rf "$root"
  repositories=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u)
  mirror=${MIRROR:-$(grep -m1 'debian/*$' <<<"$repositories")}
  security=${SECURITY_MIRROR:-$(grep -m1 'debian-security/*$' <<<"$repositories" || :)}
  say "Debian 12 from $mirror"
  debootstrap --variant=minbase --include=kmod,busybox-static,ca-certificates bookworm "$root" "$mirror" >>"$log" 2>&1
  {
    echo "deb $mirror bookworm main"
    [ -z "$security" ] || echo "deb $security bookworm-security main"
  } >"$root/etc/apt/sources.list"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  # no daemon starts in a chroot
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"; chmod 755 "$root/usr/sbin/policy-rc.d"
  say 'Xen 4.17, PVGrub, Node'
  {
    chroot "$root" apt-get -q update
    chroot "$root" apt-get -qy --no-install-recommends install \
      xen-utils-4.17 xenstore-utils grub-xen-host nodejs bubblewrap dmsetup procps
    linux=$(chroot "$root" apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-6[^ ]*\).*/\1/p' | head -n 1)
    # the kernel and the hypervisor are wanted as files: their installation would make boot loaders and initrds
    chroot "$root" sh -c "cd /var/tmp && apt-get -q -o APT::Sandbox::User=root download $linux xen-hypervisor-4.17-amd64"
    rm -rf "$dir/kernels"
    for deb in "$root"/var/tmp/*.deb; do dpkg-deb -x "$deb" "$dir/kernels"; rm "$deb"; done
  } >>"$log" 2>&1
  chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' xen-utils-4.17 grub-xen-bin nodejs bubblewrap >"$dir/versions"
  echo "$(basename "$dir"/kernels/boot/vmlinuz-*)" >>"$dir/versions"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale}
  touch "$dir/root.done"
fi
version=$(basename "$dir"/kernels/lib/modules/*)
busybox=$(ls "$root"/{usr/,}bin/busybox 2>/dev/null | head -n 1)
[ -e "$dir/kernels/lib/modules/$version/modules.dep" ] || depmod -b "$dir/kernels" "$version"

# FOLDER MODULE…: those modules with all that they need, below FOLDER
modules() {
  local to=$1 file name; shift
  for name in "$@"; do modprobe -d "$dir/kernels" -S "$version" --show-depends "$name" 2>>"$log" || say "no module $name"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do install -D -m 644 "$file" "$to${file#"$dir/kernels"}"; done
  cp "$dir/kernels/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$to/lib/modules/$version/"
  depmod -b "$to" "$version"
}
# FOLDER FILE: an initrd with busybox, /init and what FOLDER holds
initrd() {
  mkdir -p "$1"/{bin,dev,proc,sys,mnt}
  cp "$busybox" "$1/bin/busybox"
  (cd "$1" && find . | cpio -o -H newc --quiet | gzip -1) >"$2"
}

# ------------------------------------------------------------------ the guests' disks
say 'guests'
work=$dir/work; rm -rf "$work"; mkdir -p "$work"/{guest,boot,files/boot/grub}
modules "$work/guest" xen-blkfront
cat >"$work/guest/init" <<'INIT'
#!/bin/busybox sh
# A guest's whole userland: it says what it was started with and what its disk holds between the table and the partition.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
echo "GUEST-TYPE $(cat /sys/hypervisor/guest_type)"
echo "GUEST-ARGS $(cat /proc/cmdline)"
modprobe xen-blkfront
n=0; while [ ! -b /dev/xvda ] && [ $n -lt 200 ]; do usleep 100000; n=$((n + 1)); done
echo "GUEST-DISK $(dd if=/dev/xvda bs=512 skip=1 count=1 2>/dev/null | tr -d '\000')"
echo GUEST-END
poweroff -f
INIT
chmod 755 "$work/guest/init"
initrd "$work/guest" "$work/files/boot/initrd.img"
cp "$dir/kernels/boot/vmlinuz-$version" "$work/files/boot/vmlinuz"
# NAME TIMEOUT: a disk with one partition, on it an entry, a submenu of two, and another entry
disk() {
  cat >"$work/files/boot/grub/grub.cfg" <<CFG
set default="0"
set timeout=$2
menuentry 'The first' {
	insmod gzio
	set root='hd0,msdos1'
	linux /boot/vmlinuz root=/dev/xvda1 ro console=hvc0 entry=first
	initrd /boot/initrd.img
}
menuentry 'The second' {
	set root='hd0,msdos1'
	linux /boot/vmlinuz root=/dev/xvda1 ro console=hvc0 entry=second
	initrd /boot/initrd.img
}
submenu 'More of them' {
	menuentry 'The third' {
		set root='hd0,msdos1'
		linux /boot/vmlinuz root=/dev/xvda1 ro console=hvc0 entry=third
		initrd /boot/initrd.img
	}
}
CFG
  rm -f "$work/part"
  truncate -s 47M "$work/part"; mke2fs -q -t ext4 -L guest -d "$work/files" "$work/part"
  truncate -s 48M "$dir/$1.img"
  echo 'start=2048, type=83, bootable' | sfdisk -q "$dir/$1.img"
  printf 'disk-of-the-guest' | dd of="$dir/$1.img" bs=512 seek=1 conv=notrunc status=none
  dd if="$work/part" of="$dir/$1.img" bs=1M seek=1 conv=notrunc,sparse status=none
}
rm -f "$dir"/{guest,patient}.img
disk guest 3 >>"$log" 2>&1
# a sector in the middle of its kernel, for a disk that fails there
debugfs -R 'blocks /boot/vmlinuz' "$work/part" 2>>"$log" | tr ' ' '\n' | grep . | sed -n 1000p >"$work/block"
block=$(dumpe2fs -h "$work/part" 2>>"$log" | sed -n 's/^Block size: *//p')
echo $((2048 + $(<"$work/block") * block / 512)) >"$dir/bad-sector"
disk patient 90 >>"$log" 2>&1

# ------------------------------------------------------------------ dom0's disk and how it is started
say 'dom0'
modules "$root" loop ext4 xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback crc32c_generic dm-mod
install -m 755 "$here/dom0/init.sh" "$root/sbin/init.rig"
modules "$work/boot" virtio_pci virtio_blk ext4 crc32c_generic
cat >"$work/boot/init" <<'INIT'
#!/bin/busybox sh
# From the initrd to dom0's disk.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for m in virtio_pci virtio_blk crc32c_generic ext4; do modprobe $m; done
n=0; while [ ! -b /dev/vda ] && [ $n -lt 300 ]; do usleep 200000; n=$((n + 1)); done
mount -t ext4 /dev/vda /mnt || { echo 'RIG no disk'; poweroff -f; }
umount /proc /sys
mount --move /dev /mnt/dev
exec switch_root /mnt /sbin/init.rig
INIT
chmod 755 "$work/boot/init"
initrd "$work/boot" "$dir/initrd"
gzip -dc "$dir"/kernels/boot/xen-4.17*.gz >"$dir/xen"
cp "$dir/kernels/boot/vmlinuz-$version" "$dir/vmlinuz"
rm -f "$dir/dom0.img"; truncate -s 1800M "$dir/dom0.img"
mke2fs -q -t ext4 -O ^metadata_csum,^64bit -m 0 -d "$root" "$dir/dom0.img" >>"$log" 2>&1
rm -rf "$dir/kernels" "$work"
touch "$dir/done"
for old in "$cache"/*/; do [ "$old" = "$dir/" ] || rm -rf "$old"; done
echo "$dir"
