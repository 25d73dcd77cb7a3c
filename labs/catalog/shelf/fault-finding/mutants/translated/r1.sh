#!/bin/sh -e
sed -i 's/via .*/via ((wan.2))/' /etc/network/interfaces.d/router
ip route replace ((lan2)) via ((wan.2))
nft add table ip nat
nft add chain ip nat postrouting '{ type nat hook postrouting priority srcnat; }'
nft add rule ip nat postrouting oifname eth1 masquerade
