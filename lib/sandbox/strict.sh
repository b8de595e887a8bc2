# Unattended boots with --runas or --sandbox=strict, without a second Node: opens the disk, makes the files, starts the parser in
# the sandbox (confine.sh), checks what it says, and prints the result. Read by the launcher script; needs no program but setsid,
# timeout, cat, head, grep, sleep, env, rm and those of the sandbox.
#
# It takes only what libxl and xapi call: full names with `=`, one disk, the formats simple and simple0, plain folders. For
# anything else `strict` returns, and nodegrub.js does the same at leisure (lib/sandbox/parent.ts). So it need not agree with the
# option parser on anything but these forms (test/sandbox/options.test.ts).
#
# Set before: as confine.sh says. Here descriptors 3 and 4 are kernel and ramdisk, 5 the result, 6 what the parser says, 7 the
# disk, 8 the janitor's pipe.

# Removes the files that it was not told to keep, and ends the parser, when everybody who could write into the pipe is gone, or
# after ten minutes (124; busybox: 142). Where somebody has killed cat or timeout it knows nothing, and removes nothing.
# Words: pPID, g (it is gone), wWORD (for end_sandbox), numbers of files to keep.
# shellcheck disable=SC2016
janitor='trap "" HUP INT TERM QUIT PIPE USR1 USR2
words=$(timeout -s ALRM 600 cat)
case $? in 0 | 124 | 142) ;; *) exit ;; esac
parser= name= kept=" "
for word in $words; do
  case $word in p*) parser=${word#p} ;; w*) name=${word#w} ;; g) parser= name= ;; *) kept="$kept$word " ;; esac
done
[ -z "$parser" ] || kill -9 "$parser"
n=0
for file do
  case $kept in *" $n "*) ;; *) rm -f -- "$file" ;; esac
  n=$((n + 1))
done
'"$end_sandbox"

# PATH: is it absolute, and written as resolve() would write it?
plain_path() {
  case $1 in
    *//* | */./* | */../* | */. | */.. | *"$newline"*) return 1 ;;
    /*[!/]) ;;
    *) return 1 ;;
  esac
}

# LINE: on stderr; under libxl that is a raw pty, where a bare line feed would make a staircase
say() {
  printf "%s$end_of_line" "$1" >&2 2>/dev/null
  :
}

# REASON: the files go, and the parser; the last line is the one that xapi looks for
fail() {
  exec 8>&-
  wait
  case $1 in
    *[!\ -~]* | *RuntimeError:*) printf 'RuntimeError: ' >&2; show "$1" ;;
    *) say "RuntimeError: $1" ;;
  esac
  exit 1
}

# NUMBER...: the janitor keeps these files
keep() {
  echo g "$@" 2>/dev/null >&8
  exec 8>&-
}

# LINES: what holds bytes that a terminal might obey, or that are not ASCII. Node shows them as it shows everything
show() {
  printf '%s\n' "$1" | /usr/bin/env -i "$node" "$d/nodegrub.js" --show-lines
}

# TEXT: is it what message.ts writes: printable, each backslash before 0 and three octal digits, as printf's %b reads them?
encoded() {
  case $1 in
    *[!\ -~]* | *\\[!0]* | *\\0[!0-3]* | *\\0?[!0-7]* | *\\0??[!0-7]* | *\\ | *\\0 | *\\0? | *\\0??) return 1 ;;
  esac
}

# WORD...: returns when this is not for here, or the sandbox could not be made: nodegrub.js tells why, or does without
strict() {
  uid= format= output=- folder= quiet= disk= level=auto
  for word do
    case $word in
      --runas=*) uid=${word#*=} ;;
      --sandbox=*) level=${word#*=} ;;
      --output-format=*) format=${word#*=} ;;
      --output-directory=?*) folder=${word#*=} ;;
      --output=?*) output=${word#*=} ;;
      -q | --quiet | --entry=*) quiet=yes ;;
      --kernel=?* | --ramdisk=?* | --args=* | --offset=[0-9]* | --debug | --no-guess) ;;
      -* | '') return ;;
      *) [ -z "$disk" ] && disk=$word || return ;;
    esac
  done
  [ -n "$quiet" ] && [ -n "$disk" ] || return
  case $level:$uid in
    strict:) uid=65534 ;;
    strict:[1-9]* | auto:[1-9]*) ;;
    *) return ;;
  esac
  case $uid in *[!0-9]* | ??????????*) return ;; esac
  case $format in simple) separator='\n' forbidden='\0012' ;; simple0) separator='\000' forbidden='\0000' ;; *) return ;; esac
  folder=${folder:-/var/run/xen/pygrub}
  folder=${folder%/}
  plain_path "$folder" && [ -d "$folder" ] || return
  [ "$output" = - ] || plain_path "$output" || return
  file_mb=${PYGRUB_MAX_FILE_SIZE_MB:-128} memory=${PYGRUB_MAX_RAM_USAGE_MB:-256}
  case $file_mb:$memory in *[!0-9:]* | 0* | *:0* | *???????*:* | *:???????*) return ;; esac
  data_mb=$memory
  pass=PYGRUB_MAX_FILE_SIZE_MB=$file_mb${newline}PYGRUB_MAX_RAM_USAGE_MB=$memory
  case $(export -p) in *NODEGRUB_MAX_*) return ;; esac
  # Root, with the sandbox's programs and the janitor's at hand
  [ -O /proc/1 ] && [ -O /proc/self ] && choose_method || return
  find_program grep && find_program timeout && find_program setsid || return
  # Nothing but disks is opened. What is neither has its reason from nodegrub.js.
  [ -f "$disk" ] || [ -b "$disk" ] || return

  # What the caller left open is none of the parser's: 3 to 9 are closed here, the others' numbers are told.
  exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
  inherited=
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/} mode=
    case $descriptor in ? | '*') continue ;; esac
    { while read -r key value; do [ "$key" != flags: ] || mode=$value; done <"/proc/self/fdinfo/$descriptor"; } 2>/dev/null
    # Without O_CLOEXEC, 02000000
    case $mode in '' | *[2367]??????) ;; *) inherited=$inherited,x$descriptor ;; esac
  done
  # Anonymous pipes: a here-document is one (bash before 5.1: a file), whose other end /proc opens.
  exec 9<<end
-
end
  exec 6<<end
-
end
  [ -p /proc/self/fd/9 ] && [ -p /proc/self/fd/6 ] && command exec 8>/proc/self/fd/9 || return
  read -r key <&6

  # Whoever reads the pipes may be killed: then a write fails, and nothing else.
  trap '' PIPE
  end_of_line='\n'
  [ ! -c /proc/self/fd/2 ] || end_of_line='\r\n'
  LC_ALL=C
  export LC_ALL
  read -r random </proc/sys/kernel/random/uuid || return
  kernel=$folder/boot_kernel.${random%%-*}
  random=${random##*-}
  ramdisk=$folder/boot_ramdisk.${random#????}
  { command exec 7<"$disk"; } 2>/dev/null || return
  read -r name </proc/sys/kernel/random/uuid || return
  inside=k3,r4,d7
  if [ -b /proc/self/fd/7 ]; then
    device=$(stat -L -c %t:%T /proc/self/fd/7) && device=/sys/dev/block/$((0x${device%:*})):$((0x${device#*:})) || return
    sectors= size=
    { read -r sectors <"$device/size"; } 2>/dev/null
    { read -r size <"$device/queue/logical_block_size" || read -r size <"$device/../queue/logical_block_size"; } 2>/dev/null
    # The kernel counts in 512 bytes here whatever the sector's size.
    case $sectors:$size in [1-9]*:[1-9]*) inside=$inside:$((sectors * 512)):$size ;; *) return ;; esac
  else
    [ -f /proc/self/fd/7 ] || return
  fi

  # First who removes the files, then the files; never another's, never through a link.
  made=
  [ "$output" = - ] || [ -e "$output" ] || [ -L "$output" ] || made=$output
  "$program" /bin/sh -c "$janitor" nodegrub-janitor "$kernel" "$ramdisk" ${made:+"$made"} \
    <&9 >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  exec 9<&-
  set -C
  { command exec 3>"$kernel"; } 2>/dev/null || { keep 0 1 2; fail "cannot make $kernel"; }
  { command exec 4>"$ramdisk"; } 2>/dev/null || { keep 1 2; fail "cannot make $ramdisk"; }
  [ -f /proc/self/fd/3 ] && [ -f /proc/self/fd/4 ] || fail "cannot make files in $folder"
  if [ "$output" = - ]; then command exec 5>&1 || fail 'there is no stdout'
  elif [ -n "$made" ]; then { command exec 5>"$output"; } 2>/dev/null || { keep 2; fail "cannot write --output=$output"; }
  else { command exec 5>|"$output"; } 2>/dev/null || fail "cannot write --output=$output"
  fi
  set +C

  # The parser. Its number goes to the janitor before it is anything but this script.
  command exec 9>/proc/self/fd/6 || fail 'there is no /proc'
  {
    read -r key value </proc/self/stat
    echo "p$key w$name" >&8
    exec 5>&- 6<&- 8>&- 9>&-
    confine "$uid" "$inside$inherited,z$name" "$@"
    exit 125
  } </dev/null >&9 2>&9 &
  parser=$!
  # Somebody may have killed the janitor: then nothing is removed, but a whole boot is a success.
  trap '' PIPE
  exec 7<&- 9>&-
  said=$(exec head -c 262144 <&6 3>&- 4>&- 5>&- 6<&- 8>&-)
  exec 6<&-
  wait "$parser"
  status=$?
  echo g 2>/dev/null >&8

  # message.ts: a tab, which no line for the log holds, then a word; each once, in this order.
  tab='	' order= has_ramdisk= args= reason= lines= odd=
  IFS=$newline
  set -f
  for line in $said; do
    case $line in
      "${tab}ready") order="$order ready" ;;
      "${tab}ramdisk "[01]) order="$order ramdisk" has_ramdisk=${line##* } ;;
      "${tab}args "*) order="$order args" args=${line#*args } ;;
      "${tab}entry "*) order="$order entry" ;;
      "${tab}end") order="$order end" ;;
      "$tab"*) order="$order ?" ;;
      'RuntimeError: '*) reason=${line#*: } ;;
      *)
        lines=$lines${lines:+$newline}$line
        case $line in *[!\ -~]* | *RuntimeError:*) odd=yes ;; esac
        ;;
    esac
  done
  case $order in ' ready'*) ;; *)
    # No byte of the guest's was read yet: another way may be taken.
    exec 8>&- 3>&- 4>&- 5>&-
    wait
    IFS=" $tab$newline"
    set +f
    trap - PIPE
    return
    ;;
  esac
  if [ -n "$odd" ]; then show "$lines"
  else for line in $lines; do say "$line"; done
  fi
  case $status in
    0) ;;
    *) fail "${reason:-the sandbox ended with status $status and without a reason}" ;;
  esac
  case $order in
    ' ready ramdisk args end' | ' ready ramdisk args entry end') ;;
    *) fail 'the sandbox broke its protocol: its answer is not taken' ;;
  esac
  encoded "$args" || fail 'the sandbox broke its protocol: args is not written as agreed'
  case $args in *"$forbidden"*) fail 'the sandbox broke its protocol: args would be two items' ;; esac
  kept='0 2' items=
  [ "$has_ramdisk" = 0 ] || kept='0 1 2' items="ramdisk %s$separator"
  [ -s /proc/self/fd/3 ] || fail 'the sandbox wrote no kernel'
  IFS='\'
  # shellcheck disable=SC2086
  set -- $args
  IFS=" $tab$newline"
  # libxl takes items of 8191 bytes, `args ` among them.
  [ "$format" = simple ] || [ $((${#args} - 4 * ($# - 1))) -le 8186 ] || fail 'args is too long for libxl'
  set -- "$kernel"
  [ "$has_ramdisk" = 0 ] || set -- "$@" "$ramdisk"
  [ -z "$args" ] || { set -- "$@" "$args"; items="${items}args %b$separator"; }
  # From here on the files stay: whoever ends us now must not be told that we failed.
  trap '' HUP INT TERM QUIT
  # shellcheck disable=SC2059
  printf "kernel %s$separator$items$separator" "$@" >&5 || fail 'cannot write the result'
  # shellcheck disable=SC2086
  keep $kept
  [ "$has_ramdisk" = 1 ] || wait
  exit 0
}
