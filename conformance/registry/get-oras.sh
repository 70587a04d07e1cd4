#!/usr/bin/env bash
# Puts Debian's oras at .peers/oras, which the tests of pushing and fetching plugins run beside. Takes no arguments; installs
# nothing: the package is fetched from Debian trixie, whatever Debian this machine has, with package lists of its own, and unpacked.
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p .peers
if installed="$(command -v oras)"; then
    ln -sfn "$installed" .peers/oras
else
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    mirror="$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$scratch/lists/partial" "$scratch/cache"
    echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian} trixie main" >"$scratch/sources.list"
    apt=(apt-get -q
        -oDir::Etc::sourcelist="$scratch/sources.list" -oDir::Etc::sourceparts=/dev/null
        -oDir::State::Lists="$scratch/lists" -oDir::Cache="$scratch/cache"
        -oDir::Cache::pkgcache= -oDir::Cache::srcpkgcache= -oAPT::Sandbox::User=root)
    "${apt[@]}" update
    (cd "$scratch" && "${apt[@]}" download oras/trixie)
    dpkg-deb -x "$scratch"/oras_*.deb .peers/oras-root
    ln -sfn oras-root/usr/bin/oras .peers/oras
fi
.peers/oras version
