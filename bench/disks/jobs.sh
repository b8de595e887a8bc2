#!/bin/bash
# The pool of `bench/jobs.mjs`: N sparse disks of 10 GB, copies of eight: GPT, one ext4 partition, a grub.cfg each of its own
# (1 to 40 entries, as grub-mkconfig writes them; submenus, saved defaults, a default that does not exist, a kernel that is missing).
#
#   jobs.sh N FOLDER     makes FOLDER/disk-NNNN.img, prints nothing
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
n=$1 dir=$2
mkdir -p "$dir"
tree=$(mktemp -d); trap 'rm -rf "$tree"' EXIT
OFFSET=1048576
entry() { # NUMBER INDENT
  sed "s/^/$2/" <<EOF
menuentry 'Debian GNU/Linux, with Linux 6.1.0-$1-amd64' --class debian --class gnu-linux --class gnu --class os \$menuentry_id_option 'gnulinux-6.1.0-$1-amd64-advanced-$UUID' {
	load_video
	insmod gzio
	if [ x\$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	insmod part_gpt
	insmod ext2
	set root='hd0,gpt1'
	if [ x\$feature_platform_search_hint = xy ]; then
	  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt1 $UUID
	else
	  search --no-floppy --fs-uuid --set=root $UUID
	fi
	echo	'Loading Linux 6.1.0-$1-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-$1-amd64 root=UUID=$UUID ro quiet
	echo	'Loading initial ramdisk ...'
	initrd	/boot/initrd.img-6.1.0-$1-amd64
}
EOF
}
config() { # ENTRIES DEFAULT SUBMENU
  cat <<EOF
if [ -s \$prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "\${next_entry}" ] ; then
   set default="\${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="$2"
fi
if [ x"\${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x\$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
    insmod vga
  fi
}
set timeout=5
EOF
  entry 1 ""
  if [ "$3" = yes ]; then echo "submenu 'Advanced options for Debian GNU/Linux' \$menuentry_id_option 'gnulinux-advanced-$UUID' {"; fi
  for (( i = 2; i <= $1; i++ )); do entry "$i" ""; done
  if [ "$3" = yes ]; then echo '}'; fi
}
k=0
while read -r entries default submenu missing; do
  UUID=$(printf '3c2b7f60-5d1e-4a0b-b8f1-9e6d0a1c2b%02d' $k)
  rm -rf "$tree/r"; mkdir -p "$tree/r/boot/grub"
  config "$entries" "$default" "$submenu" >"$tree/r/boot/grub/grub.cfg"
  grub-script-check "$tree/r/boot/grub/grub.cfg"
  grub-editenv "$tree/r/boot/grub/grubenv" create
  grub-editenv "$tree/r/boot/grub/grubenv" set saved_entry=0
  for (( i = 1; i <= entries; i++ )); do
    [ "$missing" = no ] && head -c 40000 /dev/urandom >"$tree/r/boot/vmlinuz-6.1.0-$i-amd64"
    head -c 20000 /dev/urandom >"$tree/r/boot/initrd.img-6.1.0-$i-amd64"
  done
  base=$tree/base-$k.img
  truncate -s 10G "$base"
  printf 'label: gpt\nstart=2048, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n' | sfdisk -q "$base"
  mke2fs -q -F -t ext4 -b 4096 -U "$UUID" -J size=4 -E offset=$OFFSET -d "$tree/r" "$base" 10483000k 2>/dev/null
  k=$((k + 1))
done <<'EOF'
1 0 no no
2 0 yes no
4 1>0 yes no
8 ${saved_entry} no no
12 0 yes no
20 3 no no
40 0 yes no
3 0 no yes
EOF
for (( i = 0; i < n; i++ )); do
  cp --sparse=always "$tree/base-$((i % 8)).img" "$dir/disk-$(printf %04d $i).img"
done
