#!/bin/sh
# Installs HomeCircle from the folder this script lies in. `./install.sh --help` says what it can do.
#
# Everything is in functions and `main` is called by the last line, so that a download that was cut does nothing.
# What it does is all or nothing: a release is built beside the one that runs, and only switched to when it is whole;
# one that does not come up is switched back, with the database as it was. It may be run again at any time.
set -eu

AWAY_PORT=8081      # the server's own loopback port for a tunnel
RELEASE_NEEDS=200   # MiB: a release takes about 110, and as much again while it is unpacked
DATA_NEEDS=300      # MiB: what words need (200) and a little for pictures
DROP_IN=homecircle.service.d/backup.conf
PATIENCE=90         # seconds for the first answer; an old Pi with a cold card takes 20
KEPT_IN_DATA="homecircle.toml homecircle.toml.new homecircle.sqlite3 homecircle.sqlite3-wal homecircle.sqlite3-shm
  secret.key house lock control.sock vault renditions uploads backups tmp before-upgrade before-upgrade.part ballast
  import arriving"

# shellcheck disable=SC2016  # $ belongs to awk
PART='/^# == to /{part = $4} part == wanted' # of requirements.lock

usage() {
  cat <<END
Installs HomeCircle, or brings it up to date. Run it again whenever you like.

  sudo ./install.sh      as a service that starts with this machine (Linux with systemd)
  ./install.sh           for your own account only; runs until you stop it

  --port N       the port for the family's browsers (80; when that is taken, the next free one from 8080)
  --data DIR     where photos and posts are kept (/var/lib/homecircle; for an own account its usual data folder)
  --backup-to D  a folder on another disk, where a second backup is made every night (none: no longer)
  --no-start     install only
  --yes          answer every question with yes
  --uninstall    remove the program; keep everything the family has shared
  --purge        remove the program and everything the family has shared (asks first)
  --version      the version this folder holds
  --help         this
END
}

say() { printf '%s\n' "$*"; }

stop_with() {
  printf '%s\n' "$*" >&2
  exit 1
}

main() {
  umask 022
  here=$(cd "$(dirname "$0")" && pwd)
  port='' data='' backup_to='' doing=install is_yes=no is_starting=yes stage=nothing release=''
  read_options "$@"
  choose_places
  trap 'clean_up' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  case $doing in
    install) install_it ;;
    uninstall) uninstall ;;
    purge) purge ;;
  esac
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --port=* | --data=* | --backup-to=*) # the same with a space
        option=$1
        shift
        set -- "${option%%=*}" "${option#*=}" "$@"
        continue
        ;;
      --port | --data | --backup-to)
        [ -n "${2:-}" ] || stop_with "$1 needs a value. ./install.sh --help shows how."
        case $1 in
          --port) port=$2 ;;
          --data) data=$2 ;;
          *) backup_to=$2 ;;
        esac
        shift
        ;;
      --yes | -y) is_yes=yes ;;
      --no-start) is_starting=no ;;
      --uninstall) doing=uninstall ;;
      --purge) doing=purge ;;
      --version)
        say "HomeCircle $(version_here)"
        exit 0
        ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) stop_with "There is no option $1. ./install.sh --help shows those there are." ;;
    esac
    shift
  done
  check_options
}

check_options() {
  case $port in
    '') ;;
    *[!0-9]* | ??????*) stop_with "--port needs a number from 1 to 65535, not '$port'." ;;
    *) if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
      stop_with "--port needs a number from 1 to 65535, not '$port'."
    fi ;;
  esac
  [ "$port" != $AWAY_PORT ] || stop_with "Port $AWAY_PORT is kept for your tunnel. Please choose another one."
  data=$(whole_path "$data")
  check_folder "$data" --data "the data folder"
  if [ "$backup_to" != none ]; then
    backup_to=$(whole_path "$backup_to")
    check_folder "$backup_to" --backup-to "the folder for backups"
  fi
}

whole_path() {
  path=$1
  case $path in
    '' | /*) ;;
    *) path=$PWD/$path ;;
  esac
  while [ "${path%/}" != "$path" ] && [ "$path" != / ]; do path=${path%/}; done
  printf '%s\n' "$path"
}

check_folder() { # folder, option, what it is
  case $1 in
    *[!A-Za-z0-9/._+@-]*) stop_with "The name of $3 may hold letters, digits and . _ - + @ only: $1" ;;
    / | /etc* | /usr* | /bin* | /boot* | /dev* | /proc* | /sys* | /run*)
      stop_with "$1 belongs to the system. Please choose another folder for $2." ;;
  esac
}

# A service for root on systemd; else everything under the account's own folders.
choose_places() {
  if [ "$(id -u)" = 0 ] && [ -d /run/systemd/system ]; then
    is_service=yes
    base=/opt/homecircle command=/usr/local/bin/homecircle units=/etc/systemd/system
    former_data=$(setting_of HOMECIRCLE_DATA)
    data=${data:-${former_data:-/var/lib/homecircle}}
  else
    is_service=no
    [ -n "${HOME:-}" ] || stop_with "HOME is not set, so it is not clear where your own folders are."
    base=$HOME/.local/lib/homecircle command=$HOME/.local/bin/homecircle
  fi
}

version_here() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/homecircle/__init__.py"; }

# What the installed unit says: `setting_of NAME`.
setting_of() { sed -n "s/^Environment=$1=//p" /etc/systemd/system/homecircle.service 2>/dev/null || true; }

# What homecircle.toml says: the folder for the second backup, or nothing.
backup_to_now() { sed -n 's/^backup_to *= *"\(.*\)" *$/\1/p' "$data/homecircle.toml" 2>/dev/null | tail -n 1; }

port_of_unit() { sed -n 's/^ListenStream=0\.0\.0\.0:\([0-9]*\)$/\1/p' "$units/homecircle.socket" 2>/dev/null || true; }

# --- Installing -------------------------------------------------------------------------------------------------------

install_it() {
  [ -f "$here/homecircle/requirements.lock" ] ||
    stop_with "Please run install.sh from inside HomeCircle's unpacked folder: it installs what lies beside it."
  find_python
  find_venv
  name_release
  if [ $is_service = yes ]; then install_service; else install_own; fi
}

# The machine's own Python first: that is the one its updates look after.
find_python() {
  python=
  if ! command -v python3 >/dev/null 2>&1 && may_fetch_packages; then fetch_package python3; fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$(command -v "$candidate")
      break
    fi
  done
  [ -n "$python" ] || stop_with "HomeCircle needs Python 3.11 or newer, and this machine has" \
    "$(python3 --version 2>/dev/null || echo 'none'). Debian 12, Ubuntu 24.04 and Raspberry Pi OS 12 bring it."
  minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
}

# Debian parts venv from Python; the module alone does not tell whether pip comes along, ensurepip does.
find_venv() {
  make_venv=
  if has_venv; then return; fi
  if may_fetch_packages; then
    fetch_package "$(venv_package)"
    if has_venv; then return; fi
  elif command -v virtualenv >/dev/null 2>&1; then
    make_venv="virtualenv --quiet --python $python"
    return
  fi
  stop_with "Python's venv is missing. Please have the package $(venv_package) installed" \
    "(on Debian: sudo apt install $(venv_package)), then run ./install.sh again. Nothing was changed."
}

has_venv() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null || return 1
  make_venv="$python -m venv"
}

venv_package() { if [ "${python##*/}" = python3 ]; then echo python3-venv; else echo "python$minor-venv"; fi; }

may_fetch_packages() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

fetch_package() {
  say "Installing the package $1 ..."
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } \
    >/dev/null 2>&1 || stop_with "The package $1 could not be installed. Is this machine connected to the internet?" \
    "Try: apt-get update && apt-get install $1"
}

# The name tells version, content and Python: the same name is the same program.
name_release() {
  version=$(version_here)
  tree=$("$python" - "$here" "$minor" <<'END'
import hashlib, pathlib, sys
root, told = pathlib.Path(sys.argv[1]), hashlib.sha256(sys.argv[2].encode())
parts = [root / name for name in ("install.sh", "pyproject.toml", "README.md", "LICENSE")]
for folder in ("homecircle", "static", "templates"):
    parts += sorted(p for p in (root / folder).rglob("*") if p.is_file() and p.suffix != ".pyc")
for path in parts:
    if path.exists():
        told.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
print(told.hexdigest()[:10])
END
  )
  release=$base/releases/$version-$tree
  former=$(readlink "$base/current" 2>/dev/null || true)
  former=${former:+$base/$former}
  [ -x "${former:-/nonexistent}/venv/bin/homecircle" ] || former=
}

is_whole() { [ -f "$release/whole" ] && "$release/venv/bin/python" -c 'import homecircle' 2>/dev/null; }

build_release() {
  if is_whole; then return; fi
  check_space "$base" $RELEASE_NEEDS "the program"
  sweep_unfinished
  stage=building
  say "Installing HomeCircle $version (a few minutes on a small computer) ..."
  mkdir -p "$release"
  $make_venv "$release/venv" >"$release/log" 2>&1 || refuse_build "A Python environment could not be made"
  awk -v wanted=run "$PART" "$here/homecircle/requirements.lock" >"$release/run.lock"
  awk -v wanted=build "$PART" "$here/homecircle/requirements.lock" >"$release/build.lock"
  pip_install --require-hashes --only-binary=:all: -r "$release/run.lock" ||
    refuse_build "The parts HomeCircle needs could not be fetched"
  # The builder comes by hash too, and lives beside the venv only until the house is built.
  pip_install --require-hashes --only-binary=:all: --target "$release/builder" -r "$release/build.lock" ||
    refuse_build "The parts HomeCircle needs could not be fetched"
  PYTHONPATH=$release/builder pip_install --no-index --no-deps --no-build-isolation "$here" ||
    refuse_build "HomeCircle could not be built"
  "$release/venv/bin/python" -c 'import homecircle.server, PIL.Image, pillow_heif' >>"$release/log" 2>&1 ||
    refuse_build "HomeCircle was built, but does not start on this machine"
  rm -rf "$release/builder" "$release/log" "$release/run.lock" "$release/build.lock"
  sync "$release" 2>/dev/null || sync
  : >"$release/whole"
  stage=nothing
}

pip_install() {
  "$release/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir --retries 2 \
    "$@" >>"$release/log" 2>&1
}

# Say why in the family's words where the log knows; the half-made release goes with the trap.
refuse_build() {
  if grep -qi 'no space left\|disk quota' "$release/log"; then
    why="the disk is full"
  elif grep -qi 'do not match the hashes' "$release/log"; then
    why="what came over the network is not what was asked for, so it was thrown away"
  elif grep -qi 'connection\|resolution\|max retries\|timed out\|proxy\|SSLError' "$release/log"; then
    why="the network does not answer; is this machine connected to the internet?"
  elif grep -qi 'no matching distribution' "$release/log"; then
    why="there is nothing ready-made for this kind of machine: $(uname -m), Python $minor"
  else
    why=$(tail -n 1 "$release/log")
  fi
  stop_with "$1: $why. Nothing was changed."
}

# A run that was killed hard left a folder without its mark.
sweep_unfinished() {
  for leftover in "$base"/releases/*; do
    [ -f "$leftover/whole" ] || rm -rf "$leftover"
  done
}

check_space() { # folder, MiB, what for
  place=$1
  while [ ! -d "$place" ]; do place=$(dirname "$place"); done
  free=$(df -Pk "$place" | awk 'NR == 2 {print int($4 / 1024)}')
  [ "$free" -ge "$2" ] ||
    stop_with "There is not enough room in $place for $3: $free MB are free, $2 MB are needed. Nothing was changed."
}

switch_to() { # a release
  ln -sfn "releases/${1##*/}" "$base/next"
  "$python" -c 'import os, sys; os.replace(*sys.argv[1:])' "$base/next" "$base/current"
}

write_command() {
  mkdir -p "${command%/*}"
  rm -f "$command.new"
  cat >"$command.new" <<END
#!/bin/sh
# HomeCircle's commands; made by install.sh
if [ -z "\${HOMECIRCLE_DATA:-}" ]; then
  HOMECIRCLE_DATA=$data
  export HOMECIRCLE_DATA
  case " \$* " in
    *" --help "* | *" --version "* | *" --data"*) ;;
    *) if [ -d "\$HOMECIRCLE_DATA" ] && [ ! -x "\$HOMECIRCLE_DATA" ]; then
      echo "Only the account that runs HomeCircle, or root, may do this. Try: sudo homecircle \$*" >&2
      exit 1
    fi ;;
  esac
fi
exec $base/current/venv/bin/homecircle "\$@"
END
  chmod 755 "$command.new"
  mv -f "$command.new" "$command"
}

forget_old_releases() {
  for old in "$base"/releases/*; do
    case $old in
      "$release" | "${former:-$release}") ;;
      *) rm -rf "$old" ;;
    esac
  done
}

# --- As a service -----------------------------------------------------------------------------------------------------

install_service() {
  refuse_wrong_disk
  choose_port
  choose_backup
  if is_up_to_date; then
    if [ $is_starting = yes ] && ! is_healthy; then
      start_units
      wait_until_healthy || stop_with "HomeCircle $version is installed, but does not start: $(last_words)"
      say "HomeCircle $version was installed already; it has been started."
    else
      say "HomeCircle $version is installed already; nothing was changed."
    fi
    tell_where
    return
  fi
  check_space "$data" $DATA_NEEDS "photos and posts"
  build_release
  try_out
  keep_former
  stage=switching
  add_user
  prepare_data
  prepare_backup
  if [ $is_starting = yes ]; then stop_units; keep_database; fi
  switch_to "$release"
  write_units "$units"
  write_drop_in "$units"
  write_command
  systemctl daemon-reload
  systemctl --quiet enable homecircle.socket homecircle.service
  if [ $is_starting = yes ]; then bring_up; fi
  stage=nothing
  drop_kept
  forget_old_releases
  report_service
}

refuse_wrong_disk() {
  house=$(setting_of HOMECIRCLE_HOUSE)
  found=$(cat "$data/house" 2>/dev/null || true)
  if [ -n "$house" ] && [ "$data" = "$(setting_of HOMECIRCLE_DATA)" ] && [ "$found" != "$house" ]; then
    stop_with "$data is not the folder of this house any more. Is its disk plugged in and mounted? Nothing was changed."
  fi
  house=$found
  if [ -z "$house" ] && [ -d "$data" ] && [ ! -e "$data/homecircle.sqlite3" ] &&
    [ -n "$(find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name homecircle.toml | head -n 1)" ]; then
    stop_with "$data holds other files. Please choose an empty folder with --data. Nothing was changed."
  fi
  if [ -z "$house" ]; then house=$("$python" -c 'import secrets; print(secrets.token_hex(8))'); fi
}

# The port once told to the family stays: QR codes and bookmarks carry it.
choose_port() {
  current_port=$(port_of_unit)
  if [ -n "$port" ]; then
    [ "$port" = "$current_port" ] || is_free "$port" ||
      stop_with "Port $port is taken by another program. Please choose another one with --port. Nothing was changed."
    return
  fi
  port=$current_port
  if [ -n "$port" ]; then return; fi
  for port in 80 8080 $(seq 8082 8099); do
    if is_free "$port"; then
      [ "$port" = 80 ] || say "Port 80 is taken by another program, so HomeCircle takes port $port."
      return
    fi
  done
  stop_with "Neither port 80 nor one from 8080 to 8099 is free. Please choose one with --port. Nothing was changed."
}

# The folder for the second backup: as it was, unless --backup-to says another one (or none).
choose_backup() {
  second=$(backup_to_now)
  case $backup_to in
    '') return ;;
    none)
      second=
      return
      ;;
    "$second") return ;;
    /home/* | /root*)
      [ $is_service = no ] || stop_with "The service may not look into $backup_to. Please mount the disk elsewhere," \
        "like at /mnt/backup. Nothing was changed." ;;
  esac
  second=$backup_to
  # never the disk's own top folder: while it is not mounted that is an empty folder of another disk
  if is_mount_point "$second" || { [ -d "$second" ] && holds_others "$second"; }; then second=$second/homecircle; fi
  if [ "$(disk_of "$second")" = "$(disk_of "$data")" ]; then
    stop_with "$backup_to lies on the same disk as $data and would be lost with it." \
      "Is the other disk plugged in and mounted? Nothing was changed."
  fi
}

existing() { # the folder itself, or the nearest one above it
  nearest=$1
  while [ ! -d "$nearest" ]; do nearest=$(dirname "$nearest"); done
  printf '%s\n' "$nearest"
}

disk_of() { stat -c %d "$(existing "$1")"; }

mount_point() { df -P "$(existing "$1")" | awk 'NR == 2 {print $NF}'; }

is_mount_point() { [ -d "$1" ] && [ "$(mount_point "$1")" = "$1" ]; }

# Anything but backups, finished or not.
holds_others() {
  [ -n "$(find "$1" -mindepth 1 -maxdepth 1 ! -name '[0-9]*T[0-9]*Z-*' ! -name '.[0-9]*T[0-9]*Z-*' | head -n 1)" ]
}

is_free() {
  "$python" - "$1" <<'END'
import errno, socket, sys
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            door.bind((address, int(sys.argv[1])))
            door.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(1)
END
}

is_up_to_date() {
  [ "$former" = "$release" ] && is_whole && [ -x "$command" ] || return 1
  [ "$(cat "$data/house" 2>/dev/null)" = "$house" ] || return 1
  compared=$(mktemp -d)
  write_units "$compared"
  write_drop_in "$compared"
  outcome=0
  for unit in homecircle.service homecircle.socket $DROP_IN; do
    if [ -e "$compared/$unit" ] || [ -e "$units/$unit" ]; then
      cmp -s "$compared/$unit" "$units/$unit" || outcome=1
    fi
  done
  [ "$(backup_to_now)" = "$second" ] || outcome=1
  rm -rf "$compared"
  return $outcome
}

add_user() {
  id homecircle >/dev/null 2>&1 || useradd --system --user-group --home-dir /nonexistent --no-create-home \
    --shell /usr/sbin/nologin homecircle
}

as_house() {
  if [ $is_service = no ]; then
    "$@"
    return
  fi
  setpriv --reuid=homecircle --regid=homecircle --clear-groups "$@"
}

# Nothing in the folder may belong to root, and nothing is written there as root: what it holds is the service's own.
prepare_data() {
  [ -d "$data" ] || made_data=yes
  mkdir -p "$data"
  if [ "$(stat -c %U "$data")" != homecircle ]; then chown -R -h homecircle:homecircle "$data"; fi
  chmod 700 "$data"
  as_house test -w "$data" ||
    stop_with "The account homecircle cannot reach $data: a folder above it is closed to others. Please choose another."
  # shellcheck disable=SC2016  # the inner shell's own words
  [ -e "$data/house" ] || as_house sh -c 'umask 077 && printf "%s\n" "$2" >"$1/house"' sh "$data" "$house"
}

# The folder for backups is the service's own too; a disk that knows no owners (exFAT) has to be mounted as its.
prepare_backup() {
  if [ "$(backup_to_now)" != "$second" ]; then
    if [ -n "$second" ]; then
      mkdir -p "$second"
      if [ $is_service = yes ] && [ "$(stat -c %U "$second")" != homecircle ]; then
        chown -R -h homecircle:homecircle "$second" 2>/dev/null || true
      fi
      chmod 700 "$second" 2>/dev/null || true
      as_house test -w "$second" ||
        stop_with "The account $(as_house id -un) cannot write in $second. A FAT or exFAT disk has to be mounted with" \
          "uid=$(as_house id -un); and no folder above may be closed to others. Nothing was changed."
    fi
    set_backup_to "$second"
    is_backup_new=yes
  fi
}

# One line of homecircle.toml; the rest of it stays as it is.
set_backup_to() {
  # shellcheck disable=SC2016  # the inner shell's own words
  as_house sh -c 'umask 077 && cd "$1" && { if [ -f homecircle.toml ]; then
      grep -v "^backup_to *=" homecircle.toml || true; fi; if [ -n "$2" ]; then printf "backup_to = \"%s\"\n" "$2"; fi
    } >homecircle.toml.new && if [ -s homecircle.toml.new ]; then mv homecircle.toml.new homecircle.toml
    else rm -f homecircle.toml.new homecircle.toml; fi' sh "$data" "$1"
}

keep_former() {
  kept=$(mktemp -d)
  for unit in homecircle.service homecircle.socket $DROP_IN; do
    if [ -f "$units/$unit" ]; then cp -p "$units/$unit" "$kept/${unit##*/}"; fi
  done
  former_second=$(backup_to_now)
  if [ -f "$command" ]; then cp -p "$command" "$kept/command"; fi
}

# Before anything is switched, the new version lives on a copy of the house, while the one before goes on serving.
try_out() {
  if [ ! -f "$data/homecircle.sqlite3" ] || [ -z "$former" ] || [ "$former" = "$release" ]; then return; fi
  stage=trying
  say "Making a backup, and trying the new version on a copy ..."
  back_up_before
  said=$(mktemp)
  if (cd / && umask 077 && as_house env PYTHONDONTWRITEBYTECODE=1 "$release/venv/bin/homecircle" rehearse \
    --data "$data") >"$said" 2>&1; then
    rm -f "$said"
    stage=nothing
    return
  fi
  why=$(tail -n 1 "$said")
  rm -f "$said"
  stop_with "HomeCircle $version was tried on a copy and is not well with it: ${why%.}." \
    "Nothing was changed; the version before goes on."
}

# By the version that runs. One that finds a damaged photo makes its backup all the same, and tells of it every night.
back_up_before() {
  before=$(ls "$data/backups" 2>/dev/null || true)
  if told=$("$command" backup --to "$data/backups" 2>&1); then return; fi
  [ "$(ls "$data/backups" 2>/dev/null || true)" = "$before" ] || return 0
  told=$(printf '%s\n' "$told" | tail -n 1)
  if [ $is_service = no ] || is_healthy; then stop_with "No backup could be made: $told Nothing was changed."; fi
  say "No backup could be made by the version before, which does not run: $told"
}

# The new version may rewrite the database; until it has answered, the old one's file is kept beside it.
keep_database() {
  [ -f "$data/homecircle.sqlite3" ] || return 0
  size=$(du -mc "$data"/homecircle.sqlite3* | awk 'END {print $1}')
  check_space "$data" $((size + 100)) "a copy of the database"
  # shellcheck disable=SC2016  # the inner shell's own words
  as_house sh -c 'umask 077 && cd "$1" && rm -rf before-upgrade.part && mkdir before-upgrade.part &&
    for file in homecircle.sqlite3 homecircle.sqlite3-wal; do
      if [ -f "$file" ]; then cp -p "$file" before-upgrade.part/; fi
    done && sync before-upgrade.part/* && rm -rf before-upgrade && mv before-upgrade.part before-upgrade' sh "$data"
  is_database_kept=yes
}

put_database_back() {
  # shellcheck disable=SC2016  # the inner shell's own words
  as_house sh -c 'cd "$1" && rm -f homecircle.sqlite3-wal homecircle.sqlite3-shm && cp -p before-upgrade/* . &&
    sync homecircle.sqlite3' sh "$data"
}

drop_kept() {
  rm -rf "${kept:?}"
  if [ "${is_database_kept:-no}" = yes ]; then as_house rm -rf "$data/before-upgrade"; fi
}

start_units() {
  systemctl reset-failed homecircle.socket homecircle.service 2>/dev/null || true
  journalctl --sync 2>/dev/null || true
  cursor=$(journalctl --quiet --no-pager --lines=1 --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p')
  systemctl start homecircle.socket homecircle.service 2>/dev/null || true
}

stop_units() { systemctl stop homecircle.socket homecircle.service 2>/dev/null || true; }

is_healthy() {
  systemctl --quiet is-active homecircle.service && "$python" - "$port" 2>/dev/null <<'END'
import json, sys, urllib.request
home = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with home.open(f"http://127.0.0.1:{sys.argv[1]}/healthz", timeout=5) as answer:
    sys.exit(json.load(answer)["status"] not in ("ok", "degraded"))
END
}

wait_until_healthy() {
  waited_until=$(($(date +%s) + PATIENCE))
  while [ "$(date +%s)" -lt $waited_until ]; do
    if is_healthy; then return 0; fi
    if systemctl --quiet is-failed homecircle.service homecircle.socket; then return 1; fi
    if [ "$(systemctl show -p NRestarts --value homecircle.service)" -gt 1 ]; then return 1; fi
    sleep 0.5
  done
  return 1
}

# The last thing the server said since it was started that is not an everyday line.
last_words() {
  journalctl --sync 2>/dev/null || true
  words=$(journalctl --quiet --no-pager --output=cat --after-cursor="${cursor:-}" --unit=homecircle.service \
    _TRANSPORT=stdout 2>/dev/null | grep -v '^INFO \|^serving \|^ ' | tail -n 1 || true)
  say "${words:-it said nothing; systemctl status homecircle tells more}"
}

bring_up() {
  say "Starting ..."
  start_units
  if wait_until_healthy; then return; fi
  why=$(last_words)
  if [ -n "$former" ] && [ "$former" != "$release" ]; then
    roll_back
    if is_healthy; then ending="runs again, with everything as it was"; else ending="was put back"; fi
    stop_with "HomeCircle $version does not start on this machine ($why). The version before $ending."
  fi
  roll_back
  stop_with "HomeCircle does not start: $why Nothing was left behind but what was in $data before."
}

# To the release before; or, when there was none, to a machine without HomeCircle.
roll_back() {
  stage=nothing
  stop_units
  if [ "${is_database_kept:-no}" = yes ]; then put_database_back; fi
  if [ -n "$former" ]; then
    switch_to "$former"
    put_units_back
    systemctl daemon-reload
    [ "$former" = "$release" ] || rm -rf "$release"
    if [ $is_starting = yes ]; then
      start_units
      wait_until_healthy || true
    fi
  else
    remove_program
    if [ "${made_data:-no}" = yes ]; then empty_data; fi
  fi
  drop_kept
}

put_units_back() {
  rm -f "$units/$DROP_IN"
  for unit in homecircle.service homecircle.socket $DROP_IN; do
    if [ -f "$kept/${unit##*/}" ]; then
      mkdir -p "$units/${unit%"${unit##*/}"}"
      cp -p "$kept/${unit##*/}" "$units/$unit"
    fi
  done
  rmdir "$units/${DROP_IN%/*}" 2>/dev/null || true
  if [ "$(backup_to_now)" != "$former_second" ]; then set_backup_to "$former_second"; fi
  if [ -f "$kept/command" ]; then cp -p "$kept/command" "$command"; fi
}

report_service() {
  if [ $is_starting = no ]; then
    say "HomeCircle $version is installed. It starts with this machine, or now: systemctl start homecircle"
    return
  fi
  if [ -n "$former" ] && [ "$former" != "$release" ]; then
    say "HomeCircle was brought up to date: $version."
  elif [ "${is_backup_new:-no}" = yes ] && [ -n "$former" ]; then
    :
  else
    say "HomeCircle $version runs, and starts with this machine. Everything is kept in $data."
  fi
  tell_backup
  tell_where
}

tell_backup() {
  if [ "${is_backup_new:-no}" = no ]; then return; fi
  if [ -z "$second" ]; then
    say "From now on backups are made on this machine only. Those on the other disk stay there."
  else
    if [ $is_service = yes ]; then sudo='sudo '; else sudo=; fi
    say "A second backup is made every night in $second. The first one now: ${sudo}homecircle backup --to $second"
  fi
}

# The command socket opens a moment after the first answer. Where this goes into the journal, the code stays out.
tell_where() {
  tries=20
  until status=$("$command" status --json 2>/dev/null); do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 0
    sleep 0.5
  done
  say
  case $status in
    *'"claimed": true'*) "$command" status | sed -n 's/^At home:/At home: /p' ;;
    *) if [ -n "${JOURNAL_STREAM:-}" ]; then
      say "Next: sudo homecircle setup-code"
    else
      say "Next: scan this with a phone in the same Wi-Fi, or open the address and type the code."
      "$command" setup-code
    fi ;;
  esac
}

# No capability, no device, no other folder, no other kind of socket; port 80 comes as an open socket.
# setpriority, setrlimit and prlimit64 are needed by the picture child to lock itself in further.
write_units() { # into a folder
  cat >"$1/homecircle.socket" <<END
# made by install.sh; changes belong into: systemctl edit homecircle.socket
[Unit]
Description=HomeCircle's door at home

[Socket]
ListenStream=0.0.0.0:$port
$(if [ -e /proc/net/if_inet6 ]; then echo "ListenStream=[::]:$port"; fi)
BindIPv6Only=ipv6-only
NoDelay=yes

[Install]
WantedBy=sockets.target
END
  cat >"$1/homecircle.service" <<END
# made by install.sh; changes belong into: systemctl edit homecircle.service
[Unit]
Description=HomeCircle, the family's own network
Requires=homecircle.socket
After=homecircle.socket network.target
RequiresMountsFor=$data
StartLimitIntervalSec=120
StartLimitBurst=6

[Service]
Type=exec
User=homecircle
Group=homecircle
ExecStart=$base/current/venv/bin/homecircle serve
Environment=HOMECIRCLE_DATA=$data
Environment=HOMECIRCLE_HOUSE=$house
Environment=PYTHONDONTWRITEBYTECODE=1
Environment=MALLOC_ARENA_MAX=2
WorkingDirectory=/
Restart=on-failure
RestartSec=3
TimeoutStopSec=20
KillMode=mixed
OOMPolicy=continue
TasksMax=256
$(write_folders)
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateMounts=yes
ProtectSystem=strict
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
DevicePolicy=closed
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=setpriority setrlimit prlimit64

[Install]
WantedBy=multi-user.target
END
}

# The second place is the one other folder that the service may write in. Its disk is wanted, never required: the
# family's house opens without it too, and says that the backup disk is not there.
write_drop_in() { # into a folder
  rm -f "$1/$DROP_IN"
  if [ -z "$second" ]; then
    rmdir "$1/${DROP_IN%/*}" 2>/dev/null || true
    return
  fi
  mkdir -p "$1/${DROP_IN%/*}"
  cat >"$1/$DROP_IN" <<END
# made by install.sh --backup-to
[Unit]
$(wanted_disk)

[Service]
ReadWritePaths=-$second
END
}

wanted_disk() {
  disk=$(mount_point "$second")
  [ "$disk" != / ] || return 0
  disk=$(systemd-escape --path --suffix=mount "$disk")
  printf '%s\n' "Wants=$disk" "After=$disk"
}

write_folders() {
  if [ "$data" = /var/lib/homecircle ]; then
    printf '%s\n' ProtectHome=yes StateDirectory=homecircle StateDirectoryMode=0700
  else
    printf '%s\n' ProtectHome=tmpfs "BindPaths=$data"
  fi
}

# --- For one's own account --------------------------------------------------------------------------------------------

install_own() {
  if [ -n "$backup_to" ]; then
    find_own_data
    choose_backup
  fi
  if is_whole && [ "$former" = "$release" ]; then
    say "HomeCircle $version is installed already; nothing was changed."
  else
    build_release
    find_own_data
    try_out
    switch_to "$release"
    say "HomeCircle $version is installed for $(id -un), as $command"
  fi
  find_own_data
  check_space "$data" $DATA_NEEDS "photos and posts"
  [ -n "$backup_to" ] || choose_backup
  (umask 077 && mkdir -p "$data")
  prepare_backup
  write_command
  forget_old_releases
  say "Everything is kept in $data."
  tell_backup
  if "$command" status --json >/dev/null 2>&1; then
    say "It runs already. After an update, stop it (Ctrl-C) and start it again: $command serve"
    return
  fi
  if [ $is_starting = no ]; then
    say "Start it with: $command serve"
    return
  fi
  say "It runs in this window until you stop it with Ctrl-C; later: $command serve"
  [ ! -d /run/systemd/system ] || say "(sudo ./install.sh would make it start with this machine.)"
  trap - EXIT HUP INT TERM
  exec "$command" serve ${port:+--port "$port"}
}

# Where it was before; else where the platform keeps an account's data.
find_own_data() {
  if [ -z "$data" ]; then data=$(sed -n 's/^  HOMECIRCLE_DATA=//p' "$command" 2>/dev/null || true); fi
  if [ -z "$data" ] && [ -x "$base/current/venv/bin/python" ]; then
    data=$("$base/current/venv/bin/python" -c 'import platformdirs; print(platformdirs.user_data_dir("homecircle"))')
  fi
  data=${data:-${XDG_DATA_HOME:-$HOME/.local/share}/homecircle}
}

# --- Going ------------------------------------------------------------------------------------------------------------

uninstall() {
  if [ $is_service = no ]; then
    find_own_data
    if "$command" status --json >/dev/null 2>&1; then
      stop_with "HomeCircle is running. Please stop it first (Ctrl-C in its window)."
    fi
  fi
  if [ -e "$base" ] || [ -e "$command" ]; then
    remove_program
    say "HomeCircle was removed."
  else
    say "HomeCircle is not installed here."
  fi
  if [ $doing = uninstall ] && [ -d "$data" ]; then
    say "Everything the family has shared is still in $data; a new install finds it there."
  fi
}

remove_program() {
  if [ $is_service = yes ]; then
    systemctl --quiet disable --now homecircle.socket homecircle.service 2>/dev/null || true
    rm -f "$units/homecircle.service" "$units/homecircle.socket" "$units/$DROP_IN"
    rmdir "$units/${DROP_IN%/*}" 2>/dev/null || true
    systemctl daemon-reload
    systemctl reset-failed homecircle.socket homecircle.service 2>/dev/null || true
  fi
  rm -f "$command"
  rm -rf "$base"
}

purge() {
  if [ $is_service = no ]; then find_own_data; fi
  if [ $is_yes = no ]; then
    [ -t 0 ] || stop_with "--purge asks first, and nobody can answer here. --yes answers."
    printf 'This deletes HomeCircle and every photo and post in %s for good. Type yes: ' "$data"
    read -r answer || answer=
    [ "$answer" = yes ] || stop_with "Nothing was changed."
  fi
  second=$(backup_to_now)
  uninstall
  empty_data
  [ -z "$second" ] || say "The backups in $second are still there."
  if [ $is_service = yes ] && id homecircle >/dev/null 2>&1; then userdel homecircle 2>/dev/null || true; fi
  if [ -d "$data" ]; then
    say "$data holds other things than HomeCircle's, and was left."
  else
    say "$data is gone."
  fi
}

# By name: a folder that holds more than HomeCircle's own keeps the rest.
empty_data() {
  for own in $KEPT_IN_DATA; do
    rm -rf "${data:?}/$own"
  done
  rmdir "$data" 2>/dev/null || true
}

# Whatever ends this script: nothing half-made stays.
clean_up() {
  outcome=$?
  trap '' HUP INT TERM
  trap - EXIT
  case $stage in
    building)
      rm -rf "$release"
      rmdir "$base/releases" "$base" 2>/dev/null || true
      ;;
    trying) rm -rf "$release" ;;
    switching) roll_back ;;
  esac
  exit "$outcome"
}

main "$@"
