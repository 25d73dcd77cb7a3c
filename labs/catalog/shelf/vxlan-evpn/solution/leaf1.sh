#!/bin/sh -e
ip link add br10 type bridge
ip link add vxlan10 type vxlan id "((vni))" local 10.255.0.1 dstport 4789 nolearning
ip link set vxlan10 master br10
ip link set eth1 master br10
ip link set br10 up
ip link set vxlan10 up
ip link set eth1 up
service frr start
vtysh -c "configure terminal" \
	-c "router bgp 65001" \
	-c "bgp router-id 10.255.0.1" \
	-c "no bgp ebgp-requires-policy" \
	-c "neighbor 10.0.1.2 remote-as 65100" \
	-c "address-family ipv4 unicast" \
	-c "network 10.255.0.1/32" \
	-c "exit-address-family" \
	-c "address-family l2vpn evpn" \
	-c "neighbor 10.0.1.2 activate" \
	-c "advertise-all-vni" \
	-c end -c "write memory"
systemctl enable frr
