#!/bin/sh
# Installs the Lightning-Rod board agent from this folder. Running it again upgrades and changes no settings.
#
#   ./install.sh [--prefix DIR] [--root DIR] [--no-start]     install (default prefix: /usr/local)
#   ./install.sh --uninstall [--purge] [--prefix DIR] [--root DIR]
#
# --root DIR prepares an image: everything lands below DIR, nothing is started. --purge also deletes the board's
# settings, state and key; the board must then be enrolled anew.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
user=lightning-rod
unit=lightning-rod.service
prefix=/usr/local
root=
action=install
start=yes
purge=no

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

say() {
    echo "install.sh: $*"
}

while [ $# -gt 0 ]; do
    case "$1" in
    --prefix) prefix=${2:?--prefix needs a folder} && shift 2 ;;
    --root) root=${2:?--root needs a folder} && shift 2 ;;
    --no-start) start=no && shift ;;
    --uninstall) action=uninstall && shift ;;
    --purge) purge=yes && shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) fail "unknown option $1; --help lists them" ;;
    esac
done
case "$prefix" in /*) ;; *) fail "--prefix must start with /, not $prefix" ;; esac
root=${root%/}
[ -z "$root" ] || [ -d "$root" ] || fail "--root $root is no folder"
[ "$purge" = no ] || [ "$action" = uninstall ] || fail "--purge goes with --uninstall only"

binary=$root$prefix/bin/lightning-rod
state=/var/lib/lightning-rod
settings=$root/etc/stack4things/lightning-rod.toml
unit_file=$root/etc/systemd/system/$unit
unit_link=$root/etc/systemd/system/multi-user.target.wants/$unit

# systemd answers for the running system only, never for an image below --root.
with_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

user_exists() {
    grep -q "^$user:" "$root/etc/passwd" 2>/dev/null
}

id_of() {
    sed -n "s/^$user:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/$1"
}

make_user() {
    user_exists && return 0
    if [ -n "$root" ]; then
        useradd --prefix "$root" --system --user-group --home-dir "$state" --no-create-home \
            --shell /usr/sbin/nologin "$user"
    elif command -v useradd >/dev/null; then
        useradd --system --user-group --home-dir "$state" --no-create-home --shell /usr/sbin/nologin "$user"
    elif command -v adduser >/dev/null; then
        # busybox
        adduser -S -D -H -h "$state" -s /bin/false "$user"
    else
        fail "neither useradd nor adduser is installed; make the system user $user by hand and run this again"
    fi
}

# An upgrade swaps the file in one step, so the running agent never sees half a program.
put_binary() {
    mkdir -p "$root$prefix/bin"
    cp "$here/bin/lightning-rod" "$binary.new"
    chmod 0755 "$binary.new"
    mv -f "$binary.new" "$binary"
}

put_settings() {
    mkdir -p "$root/etc/stack4things"
    [ -e "$settings" ] || cp "$here/lightning-rod.toml" "$settings"
    chown "0:$(id_of group)" "$settings"
    chmod 0640 "$settings"
}

put_state() {
    mkdir -p "$root$state"
    chown "$(id_of passwd):$(id_of group)" "$root$state"
    chmod 0700 "$root$state"
}

put_unit() {
    mkdir -p "$(dirname "$unit_link")"
    sed "s|/usr/bin/lightning-rod|$prefix/bin/lightning-rod|" "$here/$unit" >"$unit_file"
    chmod 0644 "$unit_file"
    ln -sf "../$unit" "$unit_link"
}

install_all() {
    [ "$(id -u)" = 0 ] || fail "run it as root: it makes a system user and a service"
    make_user
    put_binary
    put_settings
    put_state
    put_unit
    if with_systemd; then
        systemctl daemon-reload
        [ "$start" = no ] || systemctl restart "$unit"
    fi
    say "installed $prefix/bin/lightning-rod; enrol the board with"
    say "  sudo -u $user $prefix/bin/lightning-rod enrol --home $state --claim -   # and paste the claim"
    [ -n "$root" ] || [ -d /run/systemd/system ] ||
        say "no systemd here: start '$prefix/bin/lightning-rod run --home $state' as $user at boot by other means"
}

uninstall_all() {
    [ "$(id -u)" = 0 ] || fail "run it as root"
    if with_systemd; then
        systemctl disable --now "$unit" 2>/dev/null || true
    fi
    rm -f "$unit_link" "$unit_file" "$binary"
    if with_systemd; then
        systemctl daemon-reload
    fi
    if [ "$purge" = yes ]; then
        rm -rf "$root$state"
        rm -f "$settings"
        rmdir "$root/etc/stack4things" 2>/dev/null || true
        remove_user
    fi
    say "removed"
}

remove_user() {
    user_exists || return 0
    if [ -n "$root" ]; then
        userdel --prefix "$root" "$user"
    elif command -v userdel >/dev/null; then
        userdel "$user"
    else
        deluser "$user"
    fi
}

case "$action" in
install) install_all ;;
uninstall) uninstall_all ;;
esac
