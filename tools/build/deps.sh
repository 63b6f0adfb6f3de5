#!/bin/sh
# Installs what building and testing sluice needs, on Debian 12, as root. Quick when all is there.
#   deps.sh build   compiler and libraries        deps.sh test   the test suite's peers as well
set -eu
cd "$(dirname "$0")/../.."

build="gcc make pkg-config clang llvm libelf-dev zlib1g-dev libbpf-dev bpftool
 libcyaml-dev libyaml-dev libc-ares-dev libjansson-dev libcap-ng-dev libseccomp-dev libsystemd-dev
 libssl-dev libnghttp2-dev libmicrohttpd-dev libcurl4-openssl-dev libncurses-dev
 libcmocka-dev curl ca-certificates procps iproute2"
test="nghttp2-client python3 python3-pytest python3-pytest-timeout python3-pytest-xdist python3-pyte zsh python3-h2 python3-selenium python3-uvicorn
 python3-websockets python3-yaml chromium chromium-driver nginx-light valgrind libclang-rt-14-dev clang-format clang-tidy
 haproxy caddy h2o prometheus
 keepalived
 cppcheck shellcheck qemu-system-x86 busybox-static cpio nftables kmod openssl sslscan testssl.sh python3-cryptography gnuplot-nox"

missing() {
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || echo "$p"
	done
}

want=$build
[ "${1:-build}" = test ] && want="$build $test"
# Node comes with its own npm from some sources; Debian's nodejs needs Debian's npm.
if [ "${1:-build}" = test ]; then
	command -v node >/dev/null || want="$want nodejs"
	command -v npm >/dev/null || want="$want npm"
fi
# shellcheck disable=SC2086
need=$(missing $want)
if [ -n "$need" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "deps: missing, and only root can install them: $(echo "$need" | tr '\n' ' ')" >&2
		exit 1
	fi
	echo "deps: installing $(echo "$need" | tr '\n' ' ')"
	# A package's own service must not start here: nginx would take port 80.
	policy=/usr/sbin/policy-rc.d
	made=
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
	trap '[ -z "$made" ] || rm -f $policy' EXIT
	log=$(mktemp)
	# shellcheck disable=SC2086
	if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $need; } >"$log" 2>&1; then
		tail -30 "$log" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
fi
if [ "${1:-build}" = test ] && ! cmp -s tests/net/package-lock.json tests/net/node_modules/.sluice-lock; then
	echo "deps: npm ci in tests/net"
	npm ci --prefix tests/net --no-audit --no-fund --loglevel=error
	cp tests/net/package-lock.json tests/net/node_modules/.sluice-lock
fi
