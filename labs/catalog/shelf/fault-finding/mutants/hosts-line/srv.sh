#!/bin/sh -e
sed -i 's/tcp dport { 53, .* }/tcp dport { 53, 80 }/' /etc/nftables.conf
nft -f /etc/nftables.conf
sed -i 's/listen .*;/listen 80;/' /etc/nginx/sites-available/www
systemctl restart nginx
sed -i 's/^host-record=.*/host-record=www.((org)).example,((lan2.80))/' /etc/dnsmasq.d/zone.conf
systemctl restart dnsmasq
sed -i 's/^host-record=.*/host-record=www.((org)).example,((lan2.88))/' /etc/dnsmasq.d/zone.conf
systemctl restart dnsmasq
