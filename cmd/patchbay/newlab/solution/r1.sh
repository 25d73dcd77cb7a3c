echo net.ipv4.ip_forward=1 > /etc/sysctl.d/forward.conf
sysctl -p /etc/sysctl.d/forward.conf
systemctl enable procps
