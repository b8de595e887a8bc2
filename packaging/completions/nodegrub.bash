# bash completion for nodegrub(8)
_nodegrub() {
  local cur prev words cword
  # `--option=value` is three words to bash; bash-completion's helper takes them together
  _get_comp_words_by_ref -n = cur prev words cword
  local option=${cur%%=*} value=
  case $cur in
    --*=*) value=${cur#*=} ;;
    *)
      option=$prev value=$cur
      case $prev in *=*) option= ;; esac
      ;;
  esac
  local IFS=$'\n'
  case $option in
    --output-format) COMPREPLY=($(compgen -W $'sxp\nsimple\nsimple0\njson\nxl\nlibvirt\nqemu\nfirecracker\ncloud-hypervisor' -- "$value")) ;;
    --sandbox) COMPREPLY=($(compgen -W $'off\nbasic\nstrict\nauto' -- "$value")) ;;
    --image-format)
      COMPREPLY=($(compgen -W $'auto\nraw\nqcow2\nqcow\nqed\nvhd\nvhdx\nvmdk\nvdi\nparallels\ngzip' -- "${value##*,}"))
      case $value in *,*) COMPREPLY=("${COMPREPLY[@]/#/${value%,*},}") ;; esac
      ;;
    --image-references) COMPREPLY=($(compgen -W $'none\ndirectory' -- "$value")) ;;
    --check-kernel) COMPREPLY=($(compgen -W $'pv\npvh\nany' -- "$value")) ;;
    --jobs) COMPREPLY=($(compgen -W auto -- "$value")) ;;
    --menu-timeout) COMPREPLY=($(compgen -W forever -- "$value")) ;;
    --user) COMPREPLY=($(compgen -u -- "$value")) ;;
    --output-directory)
      compopt -o filenames
      COMPREPLY=($(compgen -d -- "$value"))
      ;;
    --output | --disks-from | --extra-disk | --key-file | --luks-header | --policy)
      compopt -o filenames
      COMPREPLY=($(compgen -f -- "$value"))
      ;;
    --entry | --kernel | --ramdisk | --args | --offset | --key-fd | --image-snapshot | --runas | --disk-timeout | --location) COMPREPLY=() ;;
    *)
      if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W $'-q\n-i\n-l\n-n\n-h
--quiet\n--interactive\n--list-entries\n--not-really\n--help\n--version\n--debug\n--isconfig\n--no-guess\n--inspect\n--decompress\n--write-env
--entry=\n--output=\n--output-format=\n--output-directory=\n--kernel=\n--ramdisk=\n--args=\n--offset=\n--runas=
--extra-disk=\n--menu-timeout=\n--key-file=\n--key-fd=\n--luks-header=\n--user=\n--sandbox=\n--policy=
--image-format=\n--image-snapshot=\n--image-references=\n--location=\n--check-kernel=
--jobs=\n--disks-from=\n--disk-timeout=' -- "$cur"))
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
      else
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$cur"))
      fi
      ;;
  esac
}
complete -F _nodegrub nodegrub
