#!/bin/sh -e
cat > /etc/nftables.conf <<EOF
flush ruleset

table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    icmp type echo-request accept
    iifname eth0 tcp dport 22 accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname eth0 accept
    iifname eth2 oifname eth1 ip daddr ((dmz.80)) tcp dport 80 accept
  }
}

table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    iifname eth2 ip daddr ((out.1)) tcp dport ((port)) dnat to ((dmz.80)):80
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname eth2 masquerade
  }
}
EOF
nft -f /etc/nftables.conf
printf 'auto lo\niface lo inet loopback\n    up nft -f /etc/nftables.conf\n' > /etc/network/interfaces.d/firewall
systemctl enable networking
