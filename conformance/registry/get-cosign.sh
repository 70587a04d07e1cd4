#!/usr/bin/env bash
# Puts cosign 2.5 (of Debian 13) and 3.1 (of Debian unstable) at .peers/cosign-2.5 and .peers/cosign-3.1, which the tests of
# signatures run against. Takes no arguments; installs nothing: the packages are fetched from Debian's archive, compared
# with the digests below, and unpacked. They are linked statically but for the C library, so any Debian runs them.
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p .peers
archive="${DEBIAN_ARCHIVE:-http://deb.debian.org/debian}"
case "$(dpkg --print-architecture)" in
amd64) ;;
*) echo "only the packages for amd64 are known here" >&2; exit 1 ;;
esac

get() { # VERSION PACKAGE SHA256
    if [ ! -x ".peers/cosign-$1" ]; then
        scratch="$(mktemp -d)"
        trap 'rm -rf "$scratch"' EXIT
        curl -sSf -o "$scratch/cosign.deb" "$archive/pool/main/c/cosign/$2"
        echo "$3  $scratch/cosign.deb" | sha256sum -c --quiet
        rm -rf ".peers/cosign-$1-root"
        dpkg-deb -x "$scratch/cosign.deb" ".peers/cosign-$1-root"
        ln -sfn "cosign-$1-root/usr/bin/cosign" ".peers/cosign-$1"
    fi
    ".peers/cosign-$1" version >/dev/null
    echo "cosign $1: .peers/cosign-$1"
}

get 2.5 cosign_2.5.0-2+b5_amd64.deb 3b6eadd27f3c4c00bfa7eab5c2397a6a15a763630c7a1d40d06ff60d24799eef
get 3.1 cosign_3.1.1-2_amd64.deb d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23
