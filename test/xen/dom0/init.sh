#!/bin/bash
# Process 1 of dom0: the least that the toolstack wants, then what the host sent on the second disk (a tar with run.sh in it), whose
# results go to the third.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=vt100
say() { echo "RIG $(cut -d' ' -f1 /proc/uptime) $*" >/dev/console; }
mount -t proc proc /proc; mount -t sysfs sys /sys
for what in devpts:/dev/pts:gid=5,mode=620 tmpfs:/dev/shm:mode=1777 tmpfs:/run:mode=755 tmpfs:/tmp:mode=1777; do
  IFS=: read -r type where options <<<"$what"
  mkdir -p "$where"; mount -t "$type" -o "$options" "$type" "$where"
done
# bash's <(…), and the lock of Xen's block script
ln -sfn /proc/self/fd /dev/fd; ln -sfn fd/0 /dev/stdin; ln -sfn fd/1 /dev/stdout; ln -sfn fd/2 /dev/stderr
mkdir -p /run/lock /run/xen /run/xenstored /var/lib/xen /var/log/xen/console /rig/out
hostname dom0; ip link set lo up 2>/dev/null
for module in xenfs xen-evtchn xen-privcmd xen-gntdev xen-gntalloc xen-blkback loop dm-mod; do
  modprobe "$module" || say "no module $module"
done
mount -t xenfs xenfs /proc/xen
tar -xf /dev/vdb -C /rig || say 'no work'
bash /rig/run.sh >/rig/out/run.log 2>&1 </dev/null
say "ended with $?"
xl dmesg >/rig/out/xl-dmesg 2>&1; dmesg >/rig/out/dmesg 2>&1
cp -a /var/log/xen /rig/out/log
tar -C /rig/out -cf /dev/vdc . && sync && say 'results written'
echo o >/proc/sysrq-trigger; sleep 60
