#!/usr/bin/env bash
# Publishes overlayd (Release, ReadyToRun, framework-dependent) to artifacts/publish/Overlay.Daemon/release_linux-x64.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v dotnet >/dev/null || { echo "deploy/build.sh: the .NET 10 SDK is needed: https://dot.net" >&2; exit 1; }
case $(uname -m) in x86_64) rid=linux-x64 ;; aarch64) rid=linux-arm64 ;; *) echo "deploy/build.sh: no build for $(uname -m)" >&2; exit 1 ;; esac
exec dotnet publish src/Overlay.Daemon -c Release -r "$rid" --no-self-contained -p:PublishReadyToRun=true -v quiet --nologo "$@"
