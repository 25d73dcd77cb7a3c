# For every interactive bash. Nothing here starts a program: on a User-mode
# Linux guest one costs 5 to 13 ms, and this file is read before each prompt's
# first appearance.

[ -z "$PS1" ] && return

# One colour for the whole prompt, red for root's: root@pc1:~#
if [ "$EUID" -eq 0 ]; then
  PS1='\[\e[1;31m\]\u@\h:\w\$\[\e[0m\] '
else
  PS1='\[\e[1;32m\]\u@\h:\w\$\[\e[0m\] '
fi

shopt -s checkwinsize histappend
HISTCONTROL=ignoreboth
unset MAILCHECK

export LS_COLORS='rs=0:di=01;34:ln=01;36:pi=40;33:so=01;35:bd=40;33;01:cd=40;33;01:or=40;31;01:su=37;41:sg=30;43:tw=30;42:ow=34;42:st=37;44:ex=01;32:*.tar=01;31:*.gz=01;31:*.xz=01;31:*.zip=01;31:*.deb=01;31:*.pcap=01;35:*.pcapng=01;35'
alias ls='ls --color=auto'
alias ll='ls -l'
alias la='ls -lA'
alias grep='grep --color=auto'
alias diff='diff --color=auto'
alias ip='ip --color=auto'

# Completion takes 2300 lines of script, so it is read when Tab is first pressed
# behind a command. Status 124 tells bash to look the command up again.
_completion_on_first_tab() {
  complete -r -D
  unset -f _completion_on_first_tab
  . /usr/share/bash-completion/bash_completion && return 124
}
[ -r /usr/share/bash-completion/bash_completion ] && complete -D -F _completion_on_first_tab
