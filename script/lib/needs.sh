# shellcheck shell=bash
# Finds the programs that building and running need, and installs by the system's packages what it may.
# Sourced after common.sh. `assume_yes=1` installs without asking.

assume_yes=${assume_yes:-}
packages=()

# Rust in the version of rust-toolchain.toml. Rust is never installed from here: its own installer does that.
pinned_rust() { sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml"; }

find_rust() {
  local pinned installed
  pinned=$(pinned_rust)
  # Just after rustup's installer, before a new shell.
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if ! installed=$(cd "$root" && RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null) || ! command -v cargo >/dev/null; then
    return 1
  fi
  installed=${installed#rustc }
  [[ ${installed%% *} == "$pinned" ]] || return 1
  found+=("Rust ${pinned%.*}")
}

how_to_get_rust() {
  local pinned get_curl=''
  pinned=$(pinned_rust)
  bad "Rust $pinned is missing. Install it, then run this again:"
  if command -v rustup >/dev/null; then
    say "    rustup toolchain install $pinned --profile minimal --component clippy --component rustfmt"
    return
  fi
  command -v curl >/dev/null || get_curl="$(install_command curl ca-certificates) && "
  say "    ${get_curl}curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --component clippy --component rustfmt --default-toolchain $pinned"
}

# A JDK of at least Java 17: JAVA_HOME's, the path's, or the newest of the system's. Reads the version from
# the JDK's own file, because starting a JVM to ask for it takes longer than all the rest.
find_java() {
  local javac home version
  while read -r javac; do
    [[ -x $javac ]] || continue
    home=$(dirname "$(dirname "$(readlink -f "$javac")")")
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null || true)
    [[ $version ]] || version=$("$javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    ((${version:-0} >= 17)) || continue
    # Maven and procos take the same one.
    [[ ! -f $home/release ]] || export JAVA_HOME=$home PATH=$home/bin:$PATH
    found+=("Java $version")
    return 0
  done < <(
    echo "${JAVA_HOME:+$JAVA_HOME/bin/javac}"
    command -v javac
    printf '%s\n' /usr/lib/jvm/*/bin/javac /opt/homebrew/opt/openjdk*/bin/javac | sort -Vr
  )
  return 1
}

find_maven() {
  local version
  version=$(mvn --version 2>/dev/null | sed -n 's/.*Apache Maven \([0-9]*\.[0-9]*\).*/\1/p')
  [[ $version ]] && found+=("Maven $version")
}

# What scripts are shut in with, where the kernel is Linux; elsewhere it is Docker.
find_bubblewrap() { [[ $(uname -s) != Linux ]] || command -v bwrap >/dev/null; }

# rustc links with it, and the TLS library compiles assembler with it.
find_cc() { command -v cc >/dev/null; }

# One line for all that is there.
report_found() {
  local line='' one
  for one in ${found[@]+"${found[@]}"}; do
    line+="${line:+   $green✓$plain }$one"
  done
  [[ ! $line ]] || good "$line"
}

# need FINDER WHAT DEBIAN_PACKAGE… notes what FINDER does not find.
need() {
  local finder=$1 what=$2
  shift 2
  "$finder" || { lacking+=("$what") && packages+=("$@"); }
}

# The JDK that this Debian or Ubuntu has: the default one where that is 17 or newer.
jdk_package() {
  local id='' version=''
  [[ -r /etc/os-release ]] && {
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-0}")
  }
  case $id:${version%%.*} in
  debian:1[2-9] | ubuntu:2[4-9]) echo default-jdk-headless ;;
  *) echo openjdk-17-jdk-headless ;;
  esac
}

install_command() {
  local sudo=''
  ((EUID == 0)) || sudo='sudo '
  echo "${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $*"
}

# Installs the packages that `need` has noted: says which, asks on a terminal unless assume_yes, and otherwise
# prints the command. 1 where they are still missing.
install_lacking() {
  ((${#packages[@]} > 0)) || return 0
  local list answer as_root=()
  list=$(printf '%s, ' "${lacking[@]}")
  if ! command -v apt-get >/dev/null; then
    bad "missing: ${list%, }. Install with this system's package manager, then run this again."
    command -v brew >/dev/null && say '    brew install openjdk@21 maven && xcode-select --install'
    command -v dnf >/dev/null && say '    sudo dnf install java-21-openjdk-devel maven gcc'
    return 1
  fi
  if ((EUID != 0)); then
    as_root=(sudo)
    # Without a terminal sudo may not ask for a password either.
    [[ -t 0 ]] || as_root+=(-n)
  fi
  if [[ ! $assume_yes ]]; then
    if [[ ! -t 0 || ! -t 2 ]]; then
      bad "missing: ${list%, }. Run this, or run this script with --yes:"
      say "    $(install_command "${packages[@]}")"
      return 1
    fi
    say "Missing: ${list%, }. This would install them:"
    say "    $(install_command "${packages[@]}")"
    read -r -p 'Go on? [Y/n] ' answer
    [[ $answer =~ ^([yY].*)?$ ]] || return 1
  fi
  if ((EUID != 0)) && ! "${as_root[@]}" true; then
    bad "no root rights. Run this as somebody who has them:"
    say "    $(install_command "${packages[@]}")"
    return 1
  fi
  job packages "installing ${list%, }" "${as_root[@]}" sh -ec '
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"' sh "${packages[@]}"
  finish_jobs
}
