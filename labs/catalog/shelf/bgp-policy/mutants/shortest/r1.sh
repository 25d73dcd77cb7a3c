#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "ip prefix-list CUSTOMER permit 10.30.0.0/24" \
	-c "ip prefix-list OURS permit ((net))" \
	-c "ip prefix-list OURS permit 10.30.0.0/24" \
	-c "route-map FROM-CUSTOMER permit 10" \
	-c "match ip address prefix-list CUSTOMER" \
	-c "set local-preference 200" \
	-c "exit" \
	-c "route-map FROM-PEER permit 10" \
	-c "exit" \
	-c "route-map FROM-PROVIDER permit 10" \
	-c "exit" \
	-c "route-map TO-CUSTOMER permit 10" \
	-c "exit" \
	-c "route-map TO-OTHERS permit 10" \
	-c "match ip address prefix-list OURS" \
	-c "exit" \
	-c "router bgp ((me))" \
	-c "neighbor 192.0.2.2 remote-as ((isp))" \
	-c "neighbor 192.0.2.6 remote-as ((peer))" \
	-c "neighbor 192.0.2.10 remote-as ((cust))" \
	-c "address-family ipv4 unicast" \
	-c "network ((net))" \
	-c "neighbor 192.0.2.2 route-map FROM-PROVIDER in" \
	-c "neighbor 192.0.2.2 route-map TO-OTHERS out" \
	-c "neighbor 192.0.2.6 route-map FROM-PEER in" \
	-c "neighbor 192.0.2.6 route-map TO-OTHERS out" \
	-c "neighbor 192.0.2.10 route-map FROM-CUSTOMER in" \
	-c "neighbor 192.0.2.10 route-map TO-CUSTOMER out" \
	-c end -c "write memory"
systemctl enable frr
