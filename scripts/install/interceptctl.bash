# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for interceptctl(8) and interceptd(8)

_interceptctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="status ignored devices flows cut explain learned reload import" options="-j -s -t -h -V --json --socket --timeout --help --version"
    local word command=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ " $commands " == *" $word "* ]] && command=$word
    done
    case $previous in
        -c | --config | -s | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        -t | --timeout | -n | --limit) return ;;
    esac
    if [[ $current == -* ]]; then
        [[ $command == explain ]] && options+=" -c --config"
        [[ $command == flows ]] && options+=" -n --limit"
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ $command == import ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $command == learned ]]; then
        mapfile -t COMPREPLY < <(compgen -W "list forget keep" -- "$current")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    fi
}

_interceptd() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    case $previous in
        -c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        --ignore) ;;
        *) mapfile -t COMPREPLY < <(compgen -W "-c -t -v -h -V --config --test --verbose --ignore --help --version" -- "$current") ;;
    esac
}

complete -F _interceptctl interceptctl
complete -o filenames -F _interceptd interceptd
