#!/bin/sh -e
cat > /etc/network/interfaces.d/lan <<END
auto eth0
iface eth0 inet6 static
    address ((lan.1))/64
END
systemctl enable networking
systemctl restart networking
cat > /etc/radvd.conf <<END
interface eth0 {
    AdvSendAdvert on;
    MinRtrAdvInterval 3;
    MaxRtrAdvInterval 5;
    AdvDefaultLifetime 0;
    prefix ((lan)) { };
};
END
systemctl enable radvd
systemctl start radvd
