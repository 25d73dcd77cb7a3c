#!/bin/sh -e
sed -i 's/via .*/via ((wan.2))/' /etc/network/interfaces.d/router
ip route replace ((lan2)) via ((wan.2))
