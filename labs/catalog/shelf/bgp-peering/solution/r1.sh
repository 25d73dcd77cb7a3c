#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "router bgp ((as1))" \
	-c "no bgp ebgp-requires-policy" \
	-c "neighbor 192.0.2.2 remote-as ((as2))" \
	-c "address-family ipv4 unicast" \
	-c "network ((net1))" \
	-c end -c "write memory"
systemctl enable frr
