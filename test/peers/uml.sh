#!/bin/bash
# uml.sh SCRIPT [ARG…]: runs SCRIPT with bash as root inside a User Mode Linux (Debian's package user-mode-linux), a
# whole Linux kernel that is one process here. It is the oracle for what the host's kernel may lack: partition scans
# (losetup -P), vfat, iso9660. Inside, / is the host's tree; loop, vfat, isofs and the code pages are loaded, and those that
# UML_MODULES names (`fs/f2fs/f2fs`, in order). What SCRIPT prints on stdout is printed here, and its status is returned.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
kernel=$(command -v linux.uml) || { echo 'uml.sh: linux.uml is missing (apt install user-mode-linux)' >&2; exit 127; }
modules=$(echo /usr/lib/uml/modules/*/kernel)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkfifo "$work/keyboard"; exec 3<>"$work/keyboard"
cat >"$work/init" <<INIT
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in drivers/block/loop drivers/cdrom/cdrom fs/isofs/isofs fs/fat/fat fs/fat/vfat fs/nls/nls_cp437 fs/nls/nls_utf8 fs/nls/nls_ascii fs/nls/nls_iso8859-1 ${UML_MODULES:-}
do
  [ ! -e $modules/\$m.ko ] || insmod $modules/\$m.ko 2>>$work/stderr
done
cd '$PWD'
bash $(printf '%q ' "$@") </dev/null >$work/stdout 2>>$work/stderr
echo \$? >$work/status
sync
echo o >/proc/sysrq-trigger
sleep 5
INIT
chmod +x "$work/init"
# Its console needs a descriptor that epoll takes: a FIFO, not /dev/null or a file.
TMPDIR=$work timeout -k 5 "${UML_TIMEOUT:-300}" "$kernel" rootfstype=hostfs rw init="$work/init" \
  mem=384M con=null con0=fd:0,fd:1 <&3 >"$work/console" 2>&1 &
uml=$!
while [ ! -e "$work/status" ] && kill -0 $uml 2>/dev/null; do sleep 0.1; done
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $uml 2>/dev/null || break; sleep 0.2; done
wait $uml 2>/dev/null || true
[ -e "$work/status" ] || { echo 'uml.sh: the kernel ended early:' >&2; tail -30 "$work/console" >&2; exit 125; }
cat "$work/stdout"
cat "$work/stderr" >&2
exit "$(<"$work/status")"
