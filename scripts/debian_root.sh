# Sourced by the scripts that need a Debian with nothing else installed.

# The folder of the last make_debian_root. Only that writes to it; copy it before use.
debian_root=

# make_debian_root SUITE [PACKAGE,…]: makes one by debootstrap (200 MB, a minute or two) unless it is there. Needs root.
make_debian_root() {
  local suite=$1 packages=${2:-}
  debian_root=$root/.cache/clean-room/base
  [ "$suite" = bookworm ] || debian_root=$root/.cache/clean-room/$suite${packages:+-$packages}
  [ ! -e "$debian_root/etc/os-release" ] || return 0
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  rm -rf "$debian_root.new"
  mkdir -p "$debian_root.new"
  advice="Is the network there? It needs Debian's package mirror"
  step "make a Debian root, $suite (a minute or two, once)" \
    debootstrap --variant=minbase ${packages:+"--include=$packages"} "$suite" "$debian_root.new"
  advice=
  mv "$debian_root.new" "$debian_root"
}
