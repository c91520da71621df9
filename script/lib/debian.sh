# shellcheck shell=bash
# Debian bookworm, assembled on this host from its packages: no image registry takes part. Sourced after `root` is
# set, by script/engine-image and script/sandbox-images. Everything is said on standard error.

# What is made is the same whoever makes it.
umask 022
PATH=$PATH:/usr/sbin:/sbin

cache=${PROCOS_CACHE_DIR:-$root/target/images}
work=

say() { printf '%s\n' "$*" >&2; }
die() {
  say "${0##*/}: $1"
  exit "${2:-1}"
}

need_docker() {
  command -v docker >/dev/null || die 'docker is missing: apt-get install docker.io'
  docker version >/dev/null 2>&1 || die 'no Docker daemon answers: start it (systemctl start docker) or check DOCKER_HOST'
}

# Two runs at once would make the same base twice.
lock_cache() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock -n 9 || { say 'waiting for another run to end' && flock 9; }
}

# label IMAGE LABEL: its value, nothing where there is no such image.
label() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# logged NAME REMEDY COMMAND…
logged() {
  local log=$cache/$1.log remedy=$2
  shift 2
  # Nobody is there to answer.
  "$@" >"$log" 2>&1 </dev/null || die "$remedy; the end of $log:"$'\n'"$(tail -n "${tail_lines:-8}" "$log")"
}

# --- Folders that become images. ---

# Sets `work` to a new folder in FOLDER, gone at the end of the script unless it has been moved.
scratch() {
  work=$(mktemp -d "$1/.debian.XXXXXX")
  chmod 0755 "$work"
}
discard() {
  [[ ! $work ]] || rm -rf --one-file-system "$work"
  work=
}
trap discard EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# unpack FOLDER: sets `work` to a new folder in FOLDER with bookworm in it, ready for apt-get.
unpack_debian() {
  local tar=$cache/bookworm.tar
  ((EUID == 0)) || die 'unpacking Debian needs root: run this with sudo'
  [[ -f $tar ]] || make_debian "$tar"
  scratch "$1"
  tar -C "$work" --numeric-owner -xpf "$tar"
}

# make_debian TAR: the smallest bookworm with today's updates and the lists of what there is to install.
make_debian() {
  local tar=$1 mirror=${PROCOS_DEBIAN_MIRROR:-} security keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  command -v debootstrap >/dev/null || die 'debootstrap is missing: apt-get install debootstrap debian-archive-keyring'
  # Without it debootstrap checks no signature.
  [[ -r $keyring ]] || die "Debian's keys are missing ($keyring): apt-get install debian-archive-keyring"
  say 'making Debian bookworm from its packages (a minute or two, once)'
  scratch "$cache"
  logged bookworm 'debootstrap failed (PROCOS_DEBIAN_MIRROR names another mirror)' \
    debootstrap --variant=minbase --keyring="$keyring" bookworm "$work" ${mirror:+"$mirror"}
  mirror=$(awk '$1 == "deb" { print $2; exit }' "$work/etc/apt/sources.list")
  security=${PROCOS_DEBIAN_SECURITY_MIRROR:-${mirror%/}-security}
  printf 'deb %s main\n' "$mirror bookworm" "$mirror bookworm-updates" "$security bookworm-security" >"$work/etc/apt/sources.list"

  # As in debian:bookworm-slim: copyright files are all that is unpacked of the documentation. And nobody cares
  # what is on the disk when the power fails meanwhile.
  cat >"$work/etc/dpkg/dpkg.cfg.d/slim" <<'TEXT'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
TEXT
  echo 'Acquire::Languages "none";' >"$work/etc/apt/apt.conf.d/slim"
  find "$work/usr/share/doc" ! -type d ! -name copyright -delete
  find "$work"/usr/share/{info,lintian,locale,man} ! -type d -delete
  # debootstrap leaves this host's.
  rm -f "$work/etc/hostname"
  : >"$work/etc/resolv.conf"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/etc/hosts"

  # shellcheck disable=SC2016
  logged bookworm-updates "apt-get failed (PROCOS_DEBIAN_SECURITY_MIRROR names what to take instead of $security)" \
    in_root "$work" /bin/sh -c 'apt-get update && apt-get upgrade -y && rm -rf /var/cache/apt/* /var/log/*'
  tar -C "$work" --numeric-owner -cf "$tar.part" .
  mv "$tar.part" "$tar"
  discard
}

# in_root FOLDER COMMAND…, as root with the host's network, proxies and, for a mirror with https, certificates. What it
# mounts and what it starts end with it.
in_root() {
  local folder=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child /bin/sh -ec '
    mount -t proc proc "$0/proc"
    mount -t tmpfs -o mode=0755 tmpfs "$0/run"
    for file in /etc/resolv.conf /etc/hosts; do
      [ ! -e "$file" ] || mount --bind "$file" "$0$file"
    done
    : >"$0/run/apt.conf"
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
      cp /etc/ssl/certs/ca-certificates.crt "$0/run/host.crt"
      echo "Acquire::https::CAInfo \"/run/host.crt\";" >"$0/run/apt.conf"
    fi
    exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
      APT_CONFIG=/run/apt.conf ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"' \
    "$folder" "$@"
}

# Takes out of `work` what is this host's, and what only apt needed.
seal() {
  rm -rf --one-file-system "$work"/{dev,run,tmp,proc,sys}/* "$work"/var/lib/apt/lists/* \
    "$work"/var/cache/{apt,debconf}/* "$work"/var/log/* "$work/etc/apt/sources.list"
}
