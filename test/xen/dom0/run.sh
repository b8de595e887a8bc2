#!/bin/bash
# What dom0 does: starts the toolstack's daemons, puts nodegrub where a package would, and works off jobs/* in order. A job is a folder
# with `xl.cfg` (@NAME@ and @DISK@ are put in), `steps` (WHEN tab WHAT tab TEXT) and `job`:
#   disk=guest|patient|blank|short|bad   which disk     via=file|phy     how it is given to xl
#   console=yes|no      `xl create -c` on a terminal, or `xl create` that nobody watches
#   copies=N            so many guests at once          limit=SECONDS    after which a guest counts as hung
#   environment='A=B'   of xl's                         watched=PROGRAM  the bootloader's name among the processes
# What came of it is in out/NAME/: result (word=value), xl.log, screen, bootloader.log, console.log, left (domains, processes, files).
set -u
cd /rig
say() { echo "RIG $(cut -d' ' -f1 /proc/uptime) $*" | tee /dev/console; }
ms() { echo $(($(date +%s%N) / 1000000)); }

bash /etc/xen/scripts/launch-xenstore; say "xenstored: $?"
/usr/lib/xen-4.17/bin/xen-init-dom0; say "xen-init-dom0: $?"
/usr/lib/xen-4.17/bin/xenconsoled --log=guest --log-dir=/var/log/xen/console; say "xenconsoled: $?"
xl info >out/xl-info 2>&1
cp -a nodegrub /usr/lib/nodegrub
ln -s ../lib/nodegrub/nodegrub /usr/bin/nodegrub
began=$(ms); nodegrub --version >out/nodegrub-version; say "nodegrub --version: $?, $(($(ms) - began)) ms"

# DOMAIN: seconds of processor time that it has used, nothing where there is none
seconds() { xl list "$1" 2>/dev/null | awk 'NR == 2 { print $NF }'; }
# what a bootloader might leave behind; the history of domains is libxl's own
files() { find /var/lib/xen /run/xen /tmp /var/tmp ! -path /run/xen/domid-history | sort; }
processes() { pgrep -fa "$1" | grep -v 'pgrep\|/rig/run.sh'; }

# GUEST: its disk, as /rig/disks/GUEST.img or a device; prints the target for xl
make_disk() {
  local image=/rig/disks/$1.img device
  case $disk in
    blank) truncate -s 48M "$image" ;;
    short) cp --sparse=always guest.img "$image"; truncate -s 5M "$image" ;;
    bad) cp --sparse=always guest.img "$image" ;;
    *) cp --sparse=always "$disk.img" "$image" ;;
  esac
  [ "$via" = phy ] || { echo "$image"; return; }
  device=$(losetup -f --show "$image")
  if [ "$disk" = bad ]; then
    local bad; bad=$(<bad-sector)
    printf '%s\n' "0 $bad linear $device 0" "$bad 64 error" "$((bad + 64)) $((98304 - bad - 64)) linear $device $((bad + 64))" |
      dmsetup create --noudevsync "$1" >&2
    dmsetup mknodes >&2
    device=/dev/mapper/$1
  fi
  echo "$device"
}

# WHAT TEXT, of a step: once WHEN (an expression; @N: N seconds) stands in what came since the last step, WHAT is done: keys (TEXT for printf), destroy
# (xl destroy), interrupt (Ctrl-C to xl)
step() {
  say "  step: $1"
  case $1 in
    keys) printf '%b' "$2" >&9 ;;
    destroy) xl destroy "$guest" ;;
    interrupt) kill -INT "$xl" ;;
  esac
}

# VARIABLE FILE: its text. Like all that is done while a guest starts without another process: here each takes as long as 50 elsewhere.
slurp() {
  local lines=()
  [ ! -e "$2" ] || mapfile -t lines <"$2" 2>/dev/null
  local IFS=$'\n'
  printf -v "$1" %s "${lines[*]}"
}

# GUEST FOLDER: one guest of a job, from xl create until it is up, has failed or has hung
guest() {
  local LC_ALL=C
  guest=$1 out=$2
  local began now at=0 n=0 status='' up='' xl_ms='' screen=$out/screen state=unknown steps=() when what text shown said log
  mapfile -t steps <"$job/steps"
  sed -e "s,@NAME@,$guest,g" -e "s,@DISK@,$(make_disk "$guest" 2>"$out/disk.log"),g" "$job/xl.cfg" >"$out/xl.cfg"
  local command=(env --default-signal=INT,QUIT $environment xl)
  began=${EPOCHREALTIME/./}
  if [ "$console" = yes ]; then
    mkfifo "$out/keyboard"
    # both ends, so that neither opening nor a lack of readers stops anything
    exec 9<>"$out/keyboard"
    script -qefc "stty rows 24 cols 80; exec ${command[*]} create -c $out/xl.cfg" "$screen" <"$out/keyboard" >/dev/null 2>"$out/xl.log" &
  else
    "${command[@]}" -vvv create "$out/xl.cfg" </dev/null >"$out/xl.log" 2>&1 &
  fi
  xl=$!
  while :; do
    now=$(((${EPOCHREALTIME/./} - began) / 1000))
    if [ "$console" = no ]; then
      screen=/var/log/xen/bootloader.0.log
      for log in /var/log/xen/bootloader.*.log; do screen=$log; done
    fi
    if [ -z "$status" ] && ! kill -0 $xl 2>/dev/null; then wait $xl; status=$? xl_ms=$now; fi
    slurp shown "$screen"
    said=$shown; [ "$console" = yes ] || slurp said "/var/log/xen/console/guest-$guest.log"
    [ -n "$up" ] || [[ $said != *GUEST-END* ]] || up=$now
    if [ -n "$up" ]; then
      state=up
      [ -z "$status" ] && [ $((now - up)) -lt 40000 ] || break
    elif [ -n "$status" ]; then
      [ "$status" = 0 ] || { state=failed; break; }
      # xl returned: a domain that is there may still come up
      if ! xl list "$guest" >/dev/null 2>&1; then
        slurp said "/var/log/xen/console/guest-$guest.log"
        [[ $said == *GUEST-END* ]] || { state=ended; break; }
      fi
    fi
    [ $now -lt $((limit * 1000)) ] || { state=hung; break; }
    if [ $n -lt ${#steps[@]} ]; then
      IFS=$'\t' read -r when what text <<<"${steps[n]}"
      if [[ $when = @* && $now -ge ${when#@}000 || ${shown:at} =~ $when ]]; then
        at=${#shown} n=$((n + 1))
        sleep 0.5
        step "$what" "$text"
      fi
    fi
    sleep 1
  done
  {
    echo "state=$state"; echo "status=$status"; echo "ms=$now"; echo "xl_ms=$xl_ms"; echo "up_ms=$up"; echo "steps=$n"
    if [ $state = hung ]; then
      one=$(seconds "$guest"); sleep 4; two=$(seconds "$guest")
      echo "cpu=$one $two"
    fi
  } >"$out/result"
  exec 9>&-
}

mkdir -p disks
for job in jobs/*/; do
  job=/rig/${job%/} name=$(basename "$job")
  disk=guest via=file console=no copies=1 limit=120 environment= watched=nodegrub
  . "$job/job"
  rm -f /var/log/xen/bootloader.*.log
  say "$name"
  files >before
  pids=()
  for i in $(seq "$copies"); do
    this=$name; [ "$copies" = 1 ] || this=$name.$i
    mkdir -p "out/$this"
    guest "$this" "/rig/out/$this" & pids+=($!)
  done
  wait "${pids[@]}"
  # what goes on its own gets some seconds for it, but not a domain that hangs
  for _ in 1 2 3 4 5 6; do
    { xl list | awk 'NR > 1 && $1 != "Domain-0" { print "domain", $1 }'; processes "$watched" | sed 's/^/process /'
      files | comm -13 before - | sed 's/^/file /'; losetup -a | grep -v "/rig/disks/$name" | sed 's/^/loop /'; } >left
    [ -s left ] && ! grep -q '^state=hung' out/"$name"*/result || break
    sleep 1
  done
  for i in $(seq "$copies"); do
    this=$name; [ "$copies" = 1 ] || this=$name.$i
    cp left "out/$this/left"
    cp "/var/log/xen/console/guest-$this.log" "out/$this/console.log" 2>/dev/null
    cat /var/log/xen/bootloader.*.log >"out/$this/bootloader.log" 2>/dev/null
    xl destroy "$this" >/dev/null 2>&1
    rm -f "out/$this/keyboard"
    say "  $this: $(tr '\n' ' ' <"out/$this/result")"
  done
  for _ in 1 2 3 4 5 6; do
    [ "$(xl list | wc -l)" -gt 2 ] || break
    sleep 0.5
  done
  dmsetup remove_all >/dev/null 2>&1
  losetup -D
  rm -f disks/*
  # what there is until now, should the machine's time be over
  tar -C out -cf /dev/vdc . && sync
done
say 'all jobs are done'
