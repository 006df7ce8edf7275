#!/usr/bin/env bash
# Installs those of the named Debian packages that are not there yet. On other systems it says what it takes for granted.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system: taken to be there: $*"
    exit 0
fi

missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
((${#missing[@]})) || exit 0

root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "missing: ${missing[*]}; install them as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    root=(sudo)
fi

apt() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

apt update
apt install -y --no-install-recommends "${missing[@]}"
