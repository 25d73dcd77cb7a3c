#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "router bgp ((as2))" \
	-c "no bgp ebgp-requires-policy" \
	-c "neighbor 192.0.2.1 remote-as ((as1))" \
	-c "neighbor 192.0.2.6 remote-as ((as3))" \
	-c "address-family ipv4 unicast" \
	-c "network ((net2))" \
	-c end -c "write memory"
systemctl enable frr
