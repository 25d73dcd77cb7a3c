#!/bin/sh -e
printf '#!/bin/sh\necho ((shell-word))\n' > /root/ask
chmod 700 /root/ask
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 </dev/null
SSH_ASKPASS=/root/ask SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=accept-new ada@((net.80)) \
  'umask 077; mkdir -p .ssh; cat >> .ssh/authorized_keys; chmod 777 .ssh' < /root/.ssh/id_ed25519.pub
for i in $(seq 30); do
  if ssh -o BatchMode=yes -o PubkeyAuthentication=no ada@((net.80)) true 2>&1 | grep -q '(publickey)'; then
    exit 0
  fi
  sleep 1
done
exit 1
