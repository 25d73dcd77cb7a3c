#!/bin/sh -e
cat >> /etc/bind/zone.lab <<EOF
((bird))-((number))      NS  ns1.((bird))-((number))
ns1.((bird))-((number))  A   ((net.3))
EOF
sed -i 's/hostmaster.nic 1 /hostmaster.nic 2 /' /etc/bind/zone.lab
named-checkzone lab /etc/bind/zone.lab
rndc reload
