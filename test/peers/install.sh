#!/bin/bash
# Installs every program that test/peers and bench compare with. Quiet, idempotent, fails loudly.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/sbin:/sbin
packages=(
  # the peers: pygrub with libfsimage, GRUB's own readers and evaluator
  xen-utils-4.17 grub-common grub2-common grub-emu grub-pc-bin
  # makers and checkers of tables and filesystems
  e2fsprogs dosfstools mtools fdisk gdisk parted util-linux mount kmod qemu-utils
  # the Debian disk, its ESP on kernels without vfat, the kernels' initrds
  debootstrap fusefat cpio zstd
  # ISO images
  xorriso genisoimage isolinux syslinux-common syslinux-utils whois libarchive-tools
  # a Linux kernel as one process: partition scans and vfat, which the host's may lack (uml.sh)
  user-mode-linux
  # the shell of GRUB 0.97, a 32-bit program (fixtures/recipes/grublegacy.sh fetches grub-legacy itself)
  libc6-i386
  # measuring and looking
  strace time file procps python3
  # the witness kernel, the machine that boots it, syslinux itself
  binutils qemu-system-x86 seabios syslinux extlinux
  # shell assignments, U-Boot's image header
  dash u-boot-tools
  # rpm's comparison of versions
  librpm9
  # bootctl, the stub of unified kernel images, systemd-boot itself in a virtual machine with UEFI firmware
  systemd systemd-boot ovmf gcc
  # programs that hash passwords (syslinux-utils and grub-common have two more)
  openssl whois perl libcrypt-passwdmd5-perl
  # signer of PE images, and what verifies them
  sbsigntool
  # squashfs by both makers; samples of compressed data
  squashfs-tools squashfs-tools-ng lz4 lzop xz-utils bzip2
  # Xen's own domain builder, which says what it makes of a kernel (xenload.c)
  libxen-dev
  # makers of XFS, UFS, btrfs
  xfsprogs makefs btrfs-progs
  # the maker of NILFS2 (that of MINIX is util-linux')
  nilfs-tools
  # maker of EROFS
  erofs-utils
  # maker of UDF
  udftools
  # exFAT and NTFS, by FUSE
  exfatprogs exfat-fuse ntfs-3g attr
  # makers of romfs and of cramfs in the other byte order, GRUB images with an archive in them
  genromfs cramfsswap grub-xen-bin
  # maker of f2fs
  f2fs-tools
  # LUKS
  cryptsetup-bin
  # JFS and ReiserFS; the machine that runs Debian's own kernel (debian-linux.sh)
  jfsutils reiserfsprogs busybox-static perl-base
  # arrays and logical volumes
  lvm2 mdadm
  # NBD servers and clients, and what they stand upon
  nbdkit nbd-server libnbd-bin nginx-light gnutls-bin
  # the strict sandbox
  bubblewrap
  # Debian's installer as files; ISO images that packages bring
  debian-installer-12-netboot-amd64 ipxe grub-rescue-pc curl
  # libvirt's schema of a domain
  libvirt-clients libxml2-utils
  # the packages' checkers, and what the tarball's Node is made ready with; another shell
  lintian apparmor patchelf man-db zsh bash-completion
  # ZFS before feature flags; openzfs.sh fetches the newer one, and makes its maker
  zfs-fuse gcc
  # the program on arm64
  qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross
)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "install.sh: not root, and missing: ${missing[*]}" >&2; exit 1; }
  log=$(mktemp)
  if ! { apt-get -q update && apt-get -qy -o Dpkg::Options::=--force-unsafe-io --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "install.sh: apt-get could not install: ${missing[*]}" >&2
    exit 1
  fi
  rm "$log"
fi
for tool in grub-fstest grub-emu grub-script-check debugfs e2fsck mke2fs dumpe2fs filefrag mkfs.vfat mcopy sfdisk \
  sgdisk parted losetup strace /usr/bin/time cpio debootstrap fusefat qemu-img linux.uml /usr/lib/xen-4.17/bin/pygrub; do
  command -v "$tool" >/dev/null || { echo "install.sh: $tool is missing after the installation" >&2; exit 1; }
done
