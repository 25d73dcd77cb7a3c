#!/bin/sh -e
service frr start
# FRR says that it has started before it has read its configuration.
until vtysh -c "show running-config" | grep -q "network 10.0.0.0/8"; do sleep 1; done
vtysh -c "configure terminal" \
	-c "mpls ldp" \
	-c "router-id 10.255.0.1" \
	-c "address-family ipv4" \
	-c "discovery transport-address 10.255.0.1" \
	-c "interface eth1" \
	-c end -c "write memory"
systemctl enable frr
