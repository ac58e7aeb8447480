#!/bin/sh
# The first process of a board that is a machine of its own: it runs in new mount, pid, ipc and uts namespaces inside a
# network namespace, builds the machine's file system out of ROOT, and runs the agent in it.
# The system's folders are there read-only; everything that can be written lies below ROOT. The shell stays: as the
# first process it takes in what the agent leaves behind, and when it ends, the kernel ends everything of the board.
# usage: board.sh ROOT READ_ONLY_FOLDER... -- COMMAND...
set -eu
root=$1
shift
mount --make-rprivate /
read_only() {
    mkdir -p "$root$1"
    mount --bind -o ro "$1" "$root$1"
}
for folder in /bin /sbin /lib /lib32 /lib64 /libx32; do
    if [ -L "$folder" ]; then
        [ -L "$root$folder" ] || cp -P "$folder" "$root$folder"
    elif [ -d "$folder" ]; then
        read_only "$folder"
    fi
done
read_only /usr
while [ "$1" != -- ]; do
    read_only "$1"
    shift
done
shift
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/root"
mount -t proc proc "$root/proc"
mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom full; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
hostname board
chroot "$root" /usr/bin/env -i PATH=/opt/s4t:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 PYTHONUNBUFFERED=1 "$@" &
wait $!
