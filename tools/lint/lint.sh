#!/bin/sh
# `make lint`: format, arrows between the rooms, file sizes, words left behind, shell scripts, and cppcheck. Says all, then fails.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
say() {
	echo "lint: $*"
	bad=1
}

c_files=$(git ls-files '*.c' '*.h')
# shellcheck disable=SC2086
clang-format --dry-run -Werror $c_files >/tmp/lint.$$ 2>&1 || { head -20 /tmp/lint.$$; say "clang-format: run clang-format -i on the files above"; }
rm -f /tmp/lint.$$

# Who may include what (docs/ARCHITECTURE.md): room, then the rooms that it must not know.
arrows() {
	room=$1
	shift
	for other in "$@"; do
		found=$(grep -ln "#include \"$other/" user/"$room"/*.c user/"$room"/*.h 2>/dev/null)
		[ -z "$found" ] || say "user/$room must not include $other/: $found"
	done
}
arrows base event proto conf policy net kern upstream observe stream admin main
arrows event proto conf policy net kern upstream observe stream admin main
arrows proto event conf policy net kern upstream observe stream admin main
arrows conf event policy net kern upstream observe stream admin main
arrows policy event net kern upstream observe stream admin main
arrows net event policy kern upstream observe stream admin main
arrows kern event conf policy net upstream observe stream admin main
arrows tls event policy kern upstream observe stream admin main
arrows upstream policy kern observe stream admin main
arrows observe conf policy net kern upstream stream admin main
arrows stream admin main
arrows admin conf policy net kern upstream stream status main
arrows status event conf policy net kern upstream stream admin main

only() {
	what=$1 where=$2
	found=$(git ls-files user | grep -v "^$where" | xargs grep -ln "$what" 2>/dev/null)
	[ -z "$found" ] || say "$what belongs in $where only: $found"
}
only 'sys/epoll.h' user/event/
only 'bpf/libbpf.h\|bpf/bpf.h' user/kern/
only 'ares.h' user/upstream/
only 'yaml.h>' user/conf/
only 'seccomp.h>' user/main/
only '<openssl/' user/tls/

for script in tools/lint/*_doc.py; do
	/usr/bin/python3 "$script" || say "$script: the docs and the code differ"
done

long=$(git ls-files user bpf include tools | grep -E '\.(c|h|py|sh)$' | xargs wc -l | awk '$2 != "total" && $1 > 500 {print $2 " (" $1 ")"}')
[ -z "$long" ] || say "over 500 lines: $long"

left=$(git grep -nIE '\b(TODO|FIXME|XXX)\b' -- bpf user include tools/bench tools/ctl tools/exporter tests || true)
[ -z "$left" ] || say "left undone by its own words: $left"

if command -v shellcheck >/dev/null; then
	git ls-files '*.sh' .ci/run | xargs shellcheck || say "shellcheck"
else
	echo "lint: shellcheck is not here, shell scripts were not checked"
fi
if command -v cppcheck >/dev/null; then
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability -j 2 \
		--suppressions-list=tools/lint/cppcheck.txt -D_GNU_SOURCE -Iinclude -Iuser -Itools --std=c11 user tools/ctl tools/doctor tools/exporter || say "cppcheck"
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
