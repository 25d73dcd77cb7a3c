# Yours to fill. Prompt, colours and completion come from /etc/bash.bashrc.
