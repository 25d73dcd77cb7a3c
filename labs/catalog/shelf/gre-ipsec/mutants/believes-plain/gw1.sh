#!/bin/sh -e
umask 077
cat > /etc/ipsec.batch <<'EOF'
xfrm state flush
xfrm policy flush
xfrm state add src ((net.1)) dst ((net.2)) proto esp spi ((spi-there)) reqid 1 mode transport replay-window 64 aead rfc4106(gcm(aes)) ((key-there)) 128
xfrm state add src ((net.2)) dst ((net.1)) proto esp spi ((spi-back)) reqid 1 mode transport replay-window 64 aead rfc4106(gcm(aes)) ((key-back)) 128
xfrm policy add src ((net.1)) dst ((net.2)) proto gre dir out tmpl proto esp reqid 1 mode transport
EOF
cat > /etc/network/interfaces.d/gre1 <<'EOF'
auto gre1
iface gre1 inet static
    address ((tun.1))/24
    pre-up ip -batch /etc/ipsec.batch
    pre-up ip link add gre1 type gre local ((net.1)) remote ((net.2)) ttl 64
    up ip link set gre1 mtu 1400
    up ip route add ((lan2)) dev gre1
    post-down ip link del gre1
EOF
systemctl enable networking
ifup gre1
