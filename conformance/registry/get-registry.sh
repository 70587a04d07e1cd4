#!/usr/bin/env bash
# Puts Debian's docker-registry at .peers/docker-registry, which the tests of the registry client run against. Takes no
# arguments; installs nothing: the package is fetched from the distribution that this machine has, and unpacked.
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p .peers
if installed="$(command -v docker-registry)"; then
    ln -sfn "$installed" .peers/docker-registry
else
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    # The lists of a fresh machine are empty; only root may fetch them.
    if [ -z "$(apt-cache madison docker-registry 2>/dev/null)" ]; then
        sudo=""
        if [ "$(id -u)" -ne 0 ]; then sudo="sudo"; fi
        $sudo apt-get update -q
    fi
    (cd "$scratch" && apt-get download -q docker-registry)
    dpkg-deb -x "$scratch"/docker-registry_*.deb .peers/docker-registry-root
    ln -sfn docker-registry-root/usr/bin/docker-registry .peers/docker-registry
fi
.peers/docker-registry --version
