# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for interceptctl(8) and interceptd(8)

# What interceptctl can be told, a line a command: by the running interceptd; and without it, what needs none,
# and first words.
_interceptctl_commands() {
    interceptctl "$@" -t 2 command-list 2>/dev/null && return
    printf '%s\n' 'explain TARGET...' 'import FILE' status metrics reload cut devices 'flows --limit --follow --store' 'har --store' \
        'curl ID --store' 'ignored flush' \
        learned\ {list,forget,keep} pcap\ {list,'start FILE',stop} get set unset undo \
        {ignore,allow,tcp}\ {list,add,del,replace,edit,test} device\ {list,show,name,set} log-level command-list
}

# The place of the word that is typed among those that are no options, and the words before it.
_interceptctl_words() {
    local word skip=
    typed=() socket=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $skip == -s || $skip == --socket ]]; then socket=(-s "$word"); fi
        if [[ -n $skip ]]; then skip=; continue; fi
        case $word in
            -c | -d | -n | -s | -t | --config | --device | --limit | --socket | --store | --timeout | --name | --for | --note | --if-rev) skip=$word ;;
            -*) ;;
            *) typed+=("$word") ;;
        esac
    done
}

# Which of the lines go on from what is typed: the words that may come next, and the options.
_interceptctl_next() {
    local line i
    local -a parts
    next=() options=()
    while read -r line; do
        local -a given=()
        read -ra parts <<< "${line%% --*}"
        for i in "${!typed[@]}"; do
            [[ ${parts[i]} == "${typed[i]}" || ${parts[i]} =~ ^[[:upper:]] ]] || continue 2
        done
        next+=("${parts[${#typed[@]}]}")
        [[ $line == *' --'* ]] && read -ra given <<< "--${line#* --}"
        for i in "${given[@]}"; do [[ $i == --* ]] && options+=("$i"); done
    done
}

# Those of the words that begin with what is typed, quoted. Not by `compgen -W`, which would run what stands in
# a word as a command: they are the daemon's, and it names devices as it was told.
_interceptctl_offer() {
    local current=$1 word quoted
    shift
    for word; do
        printf -v quoted %q "$word"
        if [[ $word == "$current"* || $quoted == "$current"* ]]; then printf '%s\n' "$quoted"; fi
    done | sort -u
}

_interceptctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word
    local -a typed socket next options words=()
    _interceptctl_words
    case $previous in
        -c | --config | -s | --socket | --store) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        -t | --timeout | -n | --limit | --name | --for | --note | --if-rev) return ;;
        -d | --device) next=(DEVICE) options=() ;;
        *) _interceptctl_next < <(_interceptctl_commands "${socket[@]}") ;;
    esac
    for word in "${next[@]}"; do
        case $word in
            FILE) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
            [[:upper:]]*) mapfile -t -O "${#words[@]}" words < <(interceptctl "${socket[@]}" -t 2 command-list "$word" 2>/dev/null) ;;
            ?*) words+=("$word") ;;
        esac
    done
    [[ $current == -* ]] && words=(-j -s -t -h -V --json --socket --timeout --help --version "${options[@]}")
    [[ $current == -* && ${typed[0]} == explain ]] && words+=(-c --config)
    mapfile -t COMPREPLY < <(_interceptctl_offer "$current" "${words[@]}")
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
