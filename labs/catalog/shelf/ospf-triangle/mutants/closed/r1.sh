#!/bin/sh -e
service frr start
vtysh -c 'configure terminal' \
	-c 'router ospf' \
	-c 'ospf router-id 10.255.0.1' \
	-c 'network 10.0.0.0/8 area 0' \
	-c 'end' -c 'write memory'
systemctl enable frr
nft add table inet mine
nft add chain inet mine in '{ type filter hook input priority filter; policy drop; }'
nft add rule inet mine in ip protocol ospf accept
