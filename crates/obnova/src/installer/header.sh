#!/bin/sh
# Installs @NAME@ @VERSION@ for the user who runs it. No root is needed, but for --all-users:
#
#     sh @FILE@ --help
#
# Below the last line of this script lies a packed archive with the program. Its SHA-256 is checked before anything of it is
# used; what happens then is done by bin/obnova-desktop in it, which may be run again after whatever has interrupted it.
# Ends with 0 when all is well, 1 when it failed and what was there before is untouched, 2 for a wrong option, 3 when this file
# is damaged.
set -eu
umask 022

NAME=@QNAME@
PRODUCT=@QPRODUCT@
SYSTEM=@QSYSTEM@
MACHINE=@QMACHINE@
NEEDS_KIB=@NEEDS_KIB@
DEFAULT_SERVER=@QSERVER@
OFFSET=@OFFSET@
SHA256=@SHA256@

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-en}}}" in
cs*)
    language=cs
@TEXTS_CS@
    ;;
*)
    language=en
@TEXTS_EN@
    ;;
esac

fail() { # status, text
    printf '%s\n' "$2" >&2
    exit "$1"
}

usage() {
    cat <<END
$NAME
$T_USAGE

  --server URL        $T_SERVER
  --authorities FILE  $T_AUTHORITIES
  --dir DIR           $T_DIR
  --silent            $T_SILENT
  --autostart         $T_AUTOSTART
  --no-menu           $T_NO_MENU
  --all-users         $T_ALL_USERS
  --start             $T_START
  --uninstall         $T_UNINSTALL
  --check             $T_CHECK
END
}

need() { # programs that every Linux has, and a stripped container may not
    for program in "$@"; do
        command -v "$program" >/dev/null || fail 1 "$T_MISSING $program"
    done
}

payload() {
    tail -c "+$OFFSET" "$self"
}

check() {
    need tail sha256sum cut
    found=$(payload | sha256sum | cut -d ' ' -f 1)
    [ "$found" = "$SHA256" ] || fail 3 "$T_DAMAGED"
}

# Asks where somebody can answer: in a terminal, or in a window where the file was clicked.
ask_server() {
    [ "$silent" = no ] || return 0
    if [ -t 0 ]; then
        printf '%s ' "$T_ASK" >&2
        read -r server || true
    elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        if command -v zenity >/dev/null; then
            server=$(zenity --entry --title="$NAME" --text="$T_ASK" --entry-text="https://") || exit 1
        elif command -v kdialog >/dev/null; then
            server=$(kdialog --title "$NAME" --inputbox "$T_ASK" "https://") || exit 1
        fi
    fi
}

unpack() {
    need mkdir mktemp find df awk tar gzip rm
    # What is installed stands in a directory of its own, and this beside it: on the same disk, and where programs may be run.
    parent=$(dirname -- "$dir")
    mkdir -p -- "$parent" 2>/dev/null || fail 1 "$T_READ_ONLY $parent"
    # What a kill has left of an earlier run, if that was long ago.
    find "$parent" -maxdepth 1 -name ".$PRODUCT-installing.*" -mtime +0 -exec rm -rf {} + 2>/dev/null || true
    free=$(df -Pk -- "$parent" | awk 'NR == 2 { print $4 }')
    [ "${free:-$NEEDS_KIB}" -ge "$NEEDS_KIB" ] || fail 1 "$T_FULL $NEEDS_KIB"
    work=$(mktemp -d "$parent/.$PRODUCT-installing.XXXXXX" 2>/dev/null) || fail 1 "$T_READ_ONLY $parent"
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 130' HUP INT TERM
    payload | tar -xzf - -C "$work" || fail 1 "$T_UNPACK"
}

main() {
    self=$0
    server='' authorities='' dir='' silent=no action=install autostart=no menu=yes start=no all=no
    while [ $# -gt 0 ]; do
        case "$1" in
        --server | --dir | --authorities)
            [ $# -ge 2 ] || fail 2 "$T_UNKNOWN $1"
            case "$1" in
            --server) server=$2 ;;
            --dir) dir=$2 ;;
            *) authorities=$2 ;;
            esac
            shift
            ;;
        --server=*) server=${1#*=} ;;
        --dir=*) dir=${1#*=} ;;
        --authorities=*) authorities=${1#*=} ;;
        --silent) silent=yes ;;
        --autostart) autostart=yes ;;
        --no-menu) menu=no ;;
        --start) start=yes ;;
        --all-users) all=yes ;;
        --uninstall) action=uninstall ;;
        --check) action=check ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail 2 "$T_UNKNOWN $1" ;;
        esac
        shift
    done

    check
    if [ "$action" = check ]; then
        [ "$silent" = yes ] || printf '%s\n' "$T_WHOLE"
        exit 0
    fi
    need uname dirname
    if [ "$(uname -s)" != "$SYSTEM" ] || [ "$(uname -m)" != "$MACHINE" ]; then
        fail 1 "$T_OTHER_COMPUTER $SYSTEM $MACHINE"
    fi
    if [ "$all" = yes ]; then
        need id
        [ "$(id -u)" = 0 ] || fail 1 "$T_ROOT"
        [ -n "$dir" ] || dir=/opt/$PRODUCT
    fi
    if [ -z "$dir" ]; then
        [ -n "${HOME:-}" ] || fail 2 "$T_NO_HOME"
        dir=${XDG_DATA_HOME:-$HOME/.local/share}/$PRODUCT
    fi
    case "$dir" in /*) ;; *) dir=$PWD/$dir ;; esac
    if [ "$action" = install ] && [ -z "$server" ] && [ ! -e "$dir/desktop.toml" ]; then
        server=$DEFAULT_SERVER
        [ -n "$server" ] || ask_server
        [ -n "$server" ] || fail 2 "$T_NO_SERVER"
    fi

    unpack
    tool=$work/bin/obnova-desktop
    if [ "$action" = uninstall ]; then
        "$tool" --lang "$language" --root "$dir" uninstall
        exit 0
    fi
    set -- --lang "$language" --root "$dir" install --package "$work"
    [ -z "$server" ] || set -- "$@" --server "$server"
    [ -z "$authorities" ] || set -- "$@" --authorities "$authorities"
    [ "$menu" = yes ] || set -- "$@" --no-menu
    [ "$autostart" = no ] || set -- "$@" --autostart
    [ "$silent" = no ] || set -- "$@" --silent
    [ "$all" = no ] || set -- "$@" --all-users
    "$tool" "$@"
    if [ "$start" = yes ]; then
        # Not a part of this terminal: it goes on when that is closed.
        nohup "$dir/bin/$PRODUCT" >/dev/null 2>&1 </dev/null &
    fi
}

# A file that was cut off above does nothing.
main "$@"
exit 0
