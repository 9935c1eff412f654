# A host is a virtual machine: Debian's own kernel under QEMU's software emulation, with this machine's files below a tmpfs,
# so that it has every program of this machine. Kernel and modules come from Debian's package; nothing is installed.
# The emulators run in the namespaces of the underlay: they end with it, and their links never leave it.
# Sourced by deploy/lab, which has the verbs.
# shellcheck shell=bash disable=SC2034,SC2154

most_hosts=16
guest_memory=1024 # MiB; an agent and a command take about 250, files that are written take the rest
kernels=$top/artifacts/vm
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe
channel=$top/deploy/lab.d/guest.py
control_address() { echo "10.255.$1.$2"; } # host, end: 1 this machine's, 2 the guest's

# lacks HOSTS: says what this machine lacks for that many guests; fails when it lacks nothing.
lacks() {
    local program available needed=$(($1 * (guest_memory + 128)))
    [ "$(uname -m)" = x86_64 ] || { echo "virtual machines run on x86_64 only, and this is $(uname -m)"; return; }
    [ -c /dev/net/tun ] || { echo "there is no /dev/net/tun, which virtual machines are joined by"; return; }
    for program in qemu-system-x86_64 busybox cpio depmod apt-get dpkg-deb /usr/bin/python3; do
        command -v "$program" >/dev/null ||
            { echo "there is no $program; install it with: deploy/install-packages.sh qemu-system-x86 busybox-static cpio kmod python3"; return; }
    done
    available=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
    [ "$available" -ge "$needed" ] || { echo "$1 virtual machines need $needed MiB of memory, and $available are available"; return; }
    return 1
}

prepare() { fetch_kernel; }

# The kernel of Debian's linux-image-amd64, unpacked once; `kernel` is its folder afterwards.
fetch_kernel() {
    local package unpacked
    mkdir -p "$kernels"
    exec 9>"$kernels/lock"
    flock 9
    kernel=$(find "$kernels" -maxdepth 1 -name 'linux-image-*' | sort -V | tail -n 1)
    if [ -z "$kernel" ]; then
        unpacked=$kernels/unpacked
        rm -rf "$unpacked"; mkdir -p "$unpacked"
        package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*-amd64\)$/\1/p' | head -n 1)
        if [ -z "$package" ]; then
            apt-get update -q >"$kernels/apt.log" 2>&1 || die "package lists could not be fetched: $(tail -n 1 "$kernels/apt.log")"
            package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*-amd64\)$/\1/p' | head -n 1)
        fi
        [ -n "$package" ] || die "apt knows no linux-image-amd64; guests need a Debian kernel"
        echo "Fetching $package" >&2
        (cd "$unpacked" && apt-get download -q "$package") >"$kernels/apt.log" 2>&1 ||
            { apt-get update -q && cd "$unpacked" && apt-get download -q "$package"; } >>"$kernels/apt.log" 2>&1 ||
            die "$package could not be fetched: $(tail -n 1 "$kernels/apt.log")"
        dpkg-deb --extract "$unpacked"/*.deb "$unpacked" && rm "$unpacked"/*.deb
        depmod --basedir "$unpacked" "$(ls "$unpacked/lib/modules")" || die "the modules of $package cannot be put in order"
        kernel=$kernels/$package
        mv "$unpacked" "$kernel"
    fi
    exec 9>&-
    release=$(ls "$kernel/lib/modules")
}

# busybox, the modules that the root file system needs, and deploy/lab.d/guest-init.
make_initrd() {
    local root=$dir/initrd.d module
    mkdir -p "$root/bin" "$root/modules" "$root/dev" "$root/proc"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$top/deploy/lab.d/guest-init" "$root/init"
    for module in virtio_pci virtio_net 9p 9pnet_virtio overlay; do
        modprobe --dirname "$kernel" --set-version "$release" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r module; do
        cp "$module" "$root/modules/"
        basename "$module" >> "$root/modules/order"
    done
    (cd "$root" && find . | cpio --quiet -o -H newc) >"$dir/initrd"
    rm -r "$root"
}

make_host() { # host, MTU
    local d link shared=()
    d=$(host_dir "$1"); mkdir -p "$d"
    [ -e "$dir/initrd" ] || make_initrd
    in_underlay ip tuntap add "h$1" mode tap
    in_underlay ip link set "h$1" mtu "$2"
    in_underlay ip tuntap add "c$1" mode tap
    in_underlay ip address add "$(control_address "$1" 1)" peer "$(control_address "$1" 2)" dev "c$1"
    in_underlay ip link set "c$1" up
    # What guests write for this machine to read: the lab's own folder, and one that the caller names.
    for link in "lab:$dir" ${OVERLAYD_LAB_SHARED:+"shared:$OVERLAYD_LAB_SHARED"}; do
        shared+=(-virtfs "local,path=${link#*:},mount_tag=${link%%:*},security_model=none,multidevs=remap")
    done
    date +%s%N >"$d/started"
    # The kernel hands words it does not know to the first process, as variables.
    enter "$dir/underlay" setsid qemu-system-x86_64 \
        -name "host$1" -nodefaults -no-user-config -display none -no-reboot -serial "file:$d/console.log" \
        -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m "$guest_memory" \
        -kernel "$kernel/boot/vmlinuz-$release" -initrd "$dir/initrd" \
        -append "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off random.trust_cpu=on tsc=reliable \
lab_host=$1 lab_dir=$dir lab_shared=${OVERLAYD_LAB_SHARED:-} lab_modules=$kernel/lib/modules lab_channel=$channel lab_address=$(control_address "$1" 2)/30" \
        -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap "${shared[@]}" \
        -netdev "tap,id=link,ifname=h$1,script=no,downscript=no" \
        -device "virtio-net-pci,netdev=link,mac=$(printf '52:54:00:00:00:%02x' "$1"),host_mtu=$2,romfile=" \
        -netdev "tap,id=control,ifname=c$1,script=no,downscript=no" \
        -device "virtio-net-pci,netdev=control,mac=$(printf '52:54:00:00:01:%02x' "$1"),romfile=" \
        </dev/null >"$d/qemu.log" 2>&1 &
    disown
}

await_host() { # host
    local d; d=$(host_dir "$1")
    OVERLAYD_LAB_PATIENCE=180 run_on "$1" true ||
        die "guest $1 did not come up: $(tail -n 3 "$d/qemu.log" "$d/console.log" 2>/dev/null | tr '\n' '|')"
    awk -v from="$(cat "$d/started")" -v to="$(date +%s%N)" 'BEGIN {printf "%.1f\n", (to - from) / 1e9}' >"$d/boot"
    echo "guest $1 runs commands $(cat "$d/boot") s after its start" >&2
}

# In the underlay's namespaces: its death ends whoever waits for a guest.
run_on() {
    local h=$1; shift
    enter "$dir/underlay" /usr/bin/python3 -IS "$channel" run "$(control_address "$h" 2)" "$@"
}
