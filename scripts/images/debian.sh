#!/usr/bin/env bash
# Makes a slim Debian root as a tarball, for a machine that cannot pull one (called by scripts/base-images, as root).
#
#   debian.sh SUITE TARBALL APT-SETTINGS [CA-BUNDLE]
#
# APT-SETTINGS is a file of apt.conf lines the image shall keep. With CA-BUNDLE, the root trusts it, and the authorities
# of /usr/local/share/ca-certificates, so that a later update-ca-certificates inside keeps them.

set -euo pipefail

suite=$1 tarball=$2 apt_settings=$3 bundle=${4:-}
work=$(mktemp -d /var/tmp/fixpoint-debian.XXXXXX)
target=$work/root
trap 'rm -rf "$work"' EXIT

# The host's own mirror when the host is of this suite, else debootstrap's default.
mirror=$(apt-get indextargets --format "\$(REPO_URI) \$(RELEASE)" 2>/dev/null \
  | awk -v suite="$suite" '$2 == suite { print $1; exit }') || mirror=
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
debootstrap --variant=minbase "$suite" "$target" ${mirror:+"$mirror"} >"$work/log" 2>&1 \
  || { tail -n 20 "$work/log" >&2; exit 1; }

mirror=$(awk '$1 == "deb" { print $2; exit }' "$target/etc/apt/sources.list")
mirror=${mirror%/}
cat >"$target/etc/apt/sources.list" <<END
deb $mirror $suite main
deb $mirror $suite-updates main
deb ${mirror%/debian}/debian-security $suite-security main
END
cp "$apt_settings" "$target/etc/apt/apt.conf.d/90host"

# As the official images do: no services at installation, small package indexes, no documentation.
printf '#!/bin/sh\nexit 101\n' >"$target/usr/sbin/policy-rc.d"
chmod 755 "$target/usr/sbin/policy-rc.d"
echo 'force-unsafe-io' >"$target/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
cat >"$target/etc/apt/apt.conf.d/docker" <<'END'
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
END
cat >"$target/etc/dpkg/dpkg.cfg.d/docker" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*/*/*
END

chroot "$target" sh -c 'apt-get update -qq && apt-get upgrade -y -qq' >"$work/log" 2>&1 \
  || { tail -n 20 "$work/log" >&2; exit 1; }

if [ -n "$bundle" ]; then
  mkdir -p "$target/etc/ssl/certs" "$target/usr/local/share/ca-certificates"
  cp -L "$bundle" "$target/etc/ssl/certs/ca-certificates.crt"
  cp -L /usr/local/share/ca-certificates/*.crt "$target/usr/local/share/ca-certificates/"
fi

rm -rf "$target"/var/lib/apt/lists/* "$target"/var/cache/apt/*.bin "$target"/var/cache/apt/archives/*.deb \
  "$target"/var/log/* "$target"/var/cache/ldconfig/aux-cache "$target"/usr/share/locale/* "$target"/usr/share/info/* \
  "$target"/tmp/* "$target"/etc/resolv.conf "$target"/etc/hostname "$target"/etc/machine-id
: >"$target/etc/machine-id"
find "$target/usr/share/doc" "$target/usr/share/man" -type f ! -name copyright -delete
find "$target/usr/share/doc" -type l -delete
find "$target/usr/share/doc" -mindepth 1 -type d -empty -delete

tar -C "$target" --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . \
  | zstd -q -3 -T0 -f -o "$tarball"
