#!/bin/sh -e
umask 077
key() { printf %s "((seed-of-keys))$1" | openssl dgst -sha256 -binary | base64; }
public() { key "$1" | wg pubkey; }
cat > /etc/wireguard/wg0.conf <<EOF
[Interface]
PrivateKey = $(key gw1)
ListenPort = 51820

[Peer]
PublicKey = $(public gw2)
Endpoint = ((net.2)):51820
AllowedIPs = ((lan2)), ((tun.2))/32

[Peer]
PublicKey = $(public laptop)
AllowedIPs = ((tun.3))/32
EOF
cat > /etc/network/interfaces.d/wg0 <<EOF
auto wg0
iface wg0 inet static
    address ((tun.1))/24
    pre-up ip link add wg0 type wireguard
    pre-up wg setconf wg0 /etc/wireguard/wg0.conf
    up ip link set wg0 mtu 1320
    up ip route add ((lan2)) dev wg0
    post-down ip link del wg0
EOF
systemctl enable networking
ifup wg0
