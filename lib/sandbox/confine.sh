# The sandbox: what stands between the parser and dom0. For /bin/sh (dash, busybox or bash), read by strict.sh and by parent.ts.
#
# Set before: $node, $files (what it loads: absolute paths, one a line), $flags (Node's), $d (the program's folder, absolute),
# $file_mb and $data_mb (MiB of a file, and that the parser may hold beside the $start_mb of Node itself), $pass (NAME=VALUE of the environment, one a line). Descriptors beside 0 to 2 that the
# caller opened are the parser's; 9 is used here.
newline='
'

# Kills what has $name in its arguments, as every process of a sandbox has: bwrap's second one waits for ever for the first, if that is
# killed in the moment between its birth and its own wish to die with it. Text, for a shell of its own (strict.sh, parent.ts).
# shellcheck disable=SC2016,SC2034
end_sandbox='tries=0
while [ -n "$name" ] && [ "$tries" -lt 20 ]; do
  left=$(printf %s "$name" | grep -lsF -f - /proc/[0-9]*/cmdline) || [ "$tries" -lt 2 ] || break
  for process in $left; do
    process=${process#/proc/}
    kill -9 "${process%/cmdline}"
  done
  tries=$((tries + 1))
  sleep 0.05
done'

# Can a user without privileges make a user namespace? (user_namespaces(7); Debian's and Ubuntu's own switches)
user_namespaces() {
  value=0
  { read -r value </proc/sys/user/max_user_namespaces; } 2>/dev/null
  [ "$value" != 0 ] || return 1
  for switch in kernel/unprivileged_userns_clone:0 kernel/apparmor_restrict_unprivileged_userns:1; do
    [ -e "/proc/sys/${switch%:*}" ] || continue
    read -r value <"/proc/sys/${switch%:*}"
    [ "$value" != "${switch#*:}" ] || return 1
  done
}

# NAME: sets $program to where it is in a system's own folders
find_program() {
  for program in "/usr/bin/$1" "/bin/$1" "/usr/sbin/$1" "/sbin/$1"; do
    [ ! -x "$program" ] || return 0
  done
  return 1
}

# For root: sets $method to the best way with bwrap that there is. For the other ways and other users there is methods.ts, which
# decides the same (test/sandbox/methods.test.ts)
choose_method() {
  method= setpriv=
  find_program bwrap || return
  bwrap=$program method=bwrap-root
  if find_program setpriv; then
    setpriv=$program
    ! user_namespaces || method=bwrap
  fi
}

# What is in force, for the log
in_force() {
  case $method in
    bwrap) force='bwrap, seccomp' ;;
    bwrap-root) force='bwrap without a user namespace, seccomp' ;;
    *) force='unshare, no seccomp filter' ;;
  esac
}

# LETTER NUMBER: a limit for this process and what it becomes; one that is lower already stays
limit() {
  ulimit "$1" "$2" 2>/dev/null || [ "$(ulimit -H "$1")" -le "$2" ]
}

# UID DESCRIPTORS ARGUMENT...: becomes the parser in the sandbox. Failing, ends with a status that is not 0
confine() {
  uid=$1 inside=$2
  shift 2
  in_force
  [ "$method" != bwrap-root ] || inside="$inside,u$uid"
  # Node, and what it is told: from here on the words only grow to the left.
  # shellcheck disable=SC2086
  set -- "$node" $flags "$d/nodegrub.js" "--inside=$inside;sandbox strict ($force), user $uid" "$@"

  # Blocks of 512 bytes, KiB, seconds. RLIMIT_DATA holds V8, RLIMIT_AS does not: it reserves more than it uses.
  limit -c 0 && limit -f $((file_mb * 2048)) && limit -d $(((data_mb + ${start_mb:-128}) * 1024)) && limit -t 120 && limit -n 256 && cd / || return
  set -f
  IFS=$newline
  case $method in
    bwrap*)
      # Node, its libraries, this folder, and nothing else: no /proc, /dev, /etc, no shell. The last --ro-bind stands first.
      set -- --remount-ro / --chdir / --seccomp 9 -- "$@"
      # shellcheck disable=SC2086
      for file in $files "$d"; do set -- --ro-bind "$file" "$file" "$@"; done
      set -- "$bwrap" --unshare-pid --unshare-ipc --unshare-net --unshare-uts --unshare-cgroup-try \
        --die-with-parent --new-session "$@"
      ;;
    unshare)
      # In namespaces of its own, /sys is where the new root is put together. $0 there: the user.
      # shellcheck disable=SC2016,SC2086
      set -- -c '
        PATH=/usr/sbin:/usr/bin:/sbin:/bin root=/sys uid=$0 count=$1
        shift
        umask 022
        mount -t tmpfs -o mode=755,size=64k,nr_inodes=256 nodegrub "$root" || exit
        while [ "$count" -gt 0 ]; do
          file=$1 count=$((count - 1))
          shift
          folder=${file%/*}
          if [ -d "$file" ]; then mkdir -p "$root$file"; else mkdir -p "$root$folder" && : >"$root$file"; fi || exit
          mount --bind -- "$file" "$root$file" && mount -o remount,bind,ro,nosuid,nodev -- "$root$file" || exit
        done
        mount -o remount,ro "$root" || exit
        # Not by exec: this shell, which is the first process of its namespace, ends with the parent, and the others with it.
        # Whoever changes its user is forgotten (prctl(2): PR_SET_PDEATHSIG).
        unshare --root="$root" --wd=/ --setgid="$uid" --setuid="$uid" -- "$@"
        exit "$?"
      ' "$uid" "$(set -- $files "$d"; echo $#)" $files "$d" "$@"
      # Without the filter there is no other bound on processes (dash and busybox: -p, bash: -u).
      limit -p 256 || limit -u 256 || return
      # Slave: what the host unmounts, it has free, though a menu may wait here for hours.
      set -- "$setpriv" --pdeathsig KILL --no-new-privs \
        "$unshare" --mount --propagation=slave --pid --fork --kill-child --ipc --net --uts --cgroup -- /bin/sh "$@"
      ;;
  esac
  case $method in
    bwrap)
      shift
      set -- "$bwrap" --as-pid-1 --unshare-user --cap-drop ALL "$@"
      if [ -n "$setpriv" ]; then
        set -- "$setpriv" --reuid="$uid" --regid="$uid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
      fi
      exec 9<"$d/seccomp.bpf"
      ;;
    bwrap-root)
      shift
      # As process 1 it would outlive the parent: whoever changes its user is forgotten (prctl(2): PR_SET_PDEATHSIG).
      set -- "$bwrap" --cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID "$@"
      exec 9<"$d/seccomp-drop.bpf"
      ;;
  esac
  # Nothing of the caller's environment: it may hold what a guest's owner must not read.
  # shellcheck disable=SC2086
  exec /usr/bin/env -i UV_THREADPOOL_SIZE=1 UV_USE_IO_URING=0 $pass "$@"
}
