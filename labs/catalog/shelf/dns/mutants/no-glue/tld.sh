#!/bin/sh -e
cat >> /etc/bind/zone.lab <<EOF
((bird))-((number))      NS  ns1.((bird))-((number))
EOF
sed -i 's/hostmaster.nic 1 /hostmaster.nic 2 /' /etc/bind/zone.lab
rndc reload
