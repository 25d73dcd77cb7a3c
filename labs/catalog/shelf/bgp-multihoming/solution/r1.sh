#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "ip prefix-list OWN permit ((net))" \
	-c "route-map FROM-ISP1 permit 10" \
	-c "set local-preference 200" \
	-c "exit" \
	-c "route-map FROM-ISP2 permit 10" \
	-c "exit" \
	-c "route-map TO-ISP1 permit 10" \
	-c "match ip address prefix-list OWN" \
	-c "exit" \
	-c "route-map TO-ISP2 permit 10" \
	-c "match ip address prefix-list OWN" \
	-c "set as-path prepend ((me)) ((me))" \
	-c "exit" \
	-c "router bgp ((me))" \
	-c "timers bgp 3 9" \
	-c "neighbor 192.0.2.2 remote-as ((isp1))" \
	-c "neighbor 192.0.2.6 remote-as ((isp2))" \
	-c "address-family ipv4 unicast" \
	-c "network ((net))" \
	-c "neighbor 192.0.2.2 route-map FROM-ISP1 in" \
	-c "neighbor 192.0.2.2 route-map TO-ISP1 out" \
	-c "neighbor 192.0.2.6 route-map FROM-ISP2 in" \
	-c "neighbor 192.0.2.6 route-map TO-ISP2 out" \
	-c end -c "write memory"
systemctl enable frr
