#!/bin/sh -e
cat > /etc/nftables.conf <<EOF
flush ruleset
table bridge inspect {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ether type arp jump look
  }
  chain look {
    iifname eth0 arp saddr ip ((lan.10)) arp saddr ether ((mac-pc1)) accept
    iifname eth1 arp saddr ip ((lan.80)) arp saddr ether ((mac-srv)) accept
    iifname eth2 arp saddr ip ((lan.66)) arp saddr ether ((mac-mallory)) accept
    drop
  }
}
EOF
nft -f /etc/nftables.conf
printf 'auto lo\niface lo inet loopback\n    up nft -f /etc/nftables.conf\n' > /etc/network/interfaces.d/inspect
systemctl enable networking
