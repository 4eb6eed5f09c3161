# Sourced by the scripts that need a Debian 12 with nothing else installed.

# A folder that only make_debian_root writes to; copy it before use.
debian_root=$root/.cache/clean-room/base

# make_debian_root: makes it by debootstrap (200 MB, a minute or two) unless it is there. Needs root.
make_debian_root() {
  [ ! -e "$debian_root/etc/os-release" ] || return 0
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  rm -rf "$debian_root.new"
  mkdir -p "$debian_root.new"
  advice="Is the network there? It needs Debian's package mirror"
  step "make a Debian 12 root (a minute or two, once)" debootstrap --variant=minbase bookworm "$debian_root.new"
  advice=
  mv "$debian_root.new" "$debian_root"
}
