# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The command lines of the scripts in shell: source this, then
#     command_line LEAST "$@"
# --help shows the comment at the script's head, which has a line "usage:";
# an option, or less than so many arguments, is one line with status 2.

wrong() {
    echo "$0: $1; $(sed -n 's/^# \(usage:\)/\1/p' "$0")" >&2
    exit 2
}

command_line() {
    local least=$1
    shift
    case ${1-} in
    -h | --help)
        sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
        exit
        ;;
    -*) wrong "no option $1" ;;
    esac
    [ $# -ge "$least" ] || wrong "too few arguments"
}
