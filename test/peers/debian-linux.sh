#!/bin/bash
# debian-linux.sh SCRIPT [ARG…]: runs SCRIPT with bash as root in Debian's own kernel (linux-image-amd64) under QEMU, without
# KVM, which machines that are virtual themselves lack or have badly. It is the oracle for filesystems that neither this host's
# kernel nor User Mode Linux (uml.sh, which it is like) has: DEBIAN_MODULES names their modules (`fs/jfs/jfs
# fs/reiserfs/reiserfs`); what they need is loaded too. Inside, / is the host's tree, over 9p; disks are images in loop devices.
# /dev/shm is the machine's own, and much faster: images are made there and copied out at the end. What SCRIPT prints on stdout
# is printed here, and its status is returned. DEBIAN_TIMEOUT: seconds, default 900. The kernel is unpacked into a folder of its
# own (DEBIAN_CACHE), not installed. `debian-linux.sh --kernel` only says where the kernel is, which Debian has signed.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
cache=${DEBIAN_CACHE:-/var/cache/nodegrub/debian-linux}
mkdir -p "$cache"
exec 4>"$cache/lock"; flock 4
newest() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*-amd64\).*/\1/p;T;q' || :; }
package=$(newest); [ -n "$package" ] || { apt-get -qq update >&2; package=$(newest); }
[ -n "$package" ] || { echo 'debian-linux.sh: apt knows no linux-image-amd64 (apt-get update)' >&2; exit 127; }
version=${package#linux-image-}
if [ ! -e "$cache/$version/done" ]; then
  rm -rf "${cache:?}"/*/; mkdir -p "$cache/$version"
  (cd "$cache/$version" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
  depmod -b "$cache/$version" "$version"
  touch "$cache/$version/done"
fi
flock -u 4
[ "${1:-}" != --kernel ] || { echo "$cache/$version/boot/vmlinuz-$version"; exit; }
modules=$cache/$version/lib/modules/$version/kernel
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root"/{bin,proc,host}
cp "$(command -v busybox)" "$work/root/bin/busybox"
for module in drivers/virtio/virtio_pci net/9p/9pnet_virtio fs/9p/9p drivers/block/loop fs/nls/nls_utf8 ${DEBIAN_MODULES:-}; do
  modprobe -d "$cache/$version" -S "$version" --show-depends "$(basename "$module")" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' >"$work/modules"
n=0
while read -r path; do cp "$path" "$work/root/$((n += 1)).ko"; done <"$work/modules"
[ "$n" -gt 0 ] && [ -d "$modules" ] || { echo "debian-linux.sh: no modules in $modules" >&2; exit 127; }
{
  cat <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
i=1; while [ -e /$i.ko ]; do insmod /$i.ko || echo "cannot load module $i"; i=$((i + 1)); done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=any root /host || poweroff -f
mount -t proc proc /host/proc; mount -t sysfs sys /host/sys; mount -t devtmpfs dev /host/dev
mkdir /host/dev/shm; mount -t tmpfs -o size=90% shm /host/dev/shm
INIT
  printf 'chroot /host /bin/bash -c %q\n' "
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; cd $(printf %q "$PWD")
bash $(printf '%q ' "$@") </dev/null >$work/stdout 2>$work/stderr; s=\$?
[ \$s = 0 ] || dmesg | tail -12 >>$work/stderr; echo \$s >$work/status; sync"
  echo 'umount /host/dev/shm /host/dev /host/sys /host/proc; umount /host || sync; poweroff -f'
} >"$work/root/init"
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet >"$work/initrd")
timeout -k 5 "${DEBIAN_TIMEOUT:-900}" qemu-system-x86_64 -accel tcg -smp 2 -m 1024 -nodefaults -no-user-config \
  -display none -no-reboot -serial stdio -kernel "$cache/$version/boot/vmlinuz-$version" -initrd "$work/initrd" \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off' \
  -virtfs local,path=/,mount_tag=root,security_model=passthrough,multidevs=remap </dev/null >"$work/console" 2>&1 || true
[ -e "$work/status" ] || { echo 'debian-linux.sh: the kernel ended early:' >&2; tail -30 "$work/console" >&2; exit 125; }
cat "$work/stdout"
cat "$work/stderr" >&2
exit "$(<"$work/status")"
