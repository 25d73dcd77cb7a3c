package rack_test

const theFile = `umask 077; echo 'answer = 42'`

// fill takes all of the disk's room without writing it.
const fill = `python3 -c '
import os
f, n = os.open("/var/fill", os.O_CREAT | os.O_WRONLY), 0
for step in (1 << 26, 1 << 20, 1 << 12):
    while True:
        try: os.posix_fallocate(f, n, step)
        except OSError: break
        n += step
'`

func cheatsOnDisk() []cheat {
	srv := func(script string) map[string]string { return map[string]string{"srv": script} }
	file := []string{"file"}
	return []cheat{
		{name: "memory-over-etc", do: srv("mkdir /run/etc; cp -a /etc/. /run/etc/; mount -t tmpfs x /etc; cp -a /run/etc/. /etc/; " + theFile + " >/etc/lab.conf"),
			undo: srv("umount /etc; rm -rf /run/etc"), checks: append(file, "command")},
		{name: "overlay-over-etc", do: srv("mkdir /run/o; mount -t tmpfs x /run/o; mkdir /run/o/u /run/o/w; mount -t overlay x /etc -o lowerdir=/etc,upperdir=/run/o/u,workdir=/run/o/w; " + theFile + " >/etc/lab.conf"),
			undo: srv("umount /etc; umount /run/o"), checks: append(file, "command")},
		{name: "bound-file", do: srv(theFile + " >/run/lab.conf; touch /etc/lab.conf; mount --bind /run/lab.conf /etc/lab.conf"),
			undo: srv("umount /etc/lab.conf; rm /etc/lab.conf"), checks: append(file, "command")},
		{name: "link-to-run", do: srv(theFile + " >/run/lab.conf; ln -s /run/lab.conf /etc/lab.conf"), undo: srv("rm /etc/lab.conf"), checks: file},
		{name: "link-to-proc", do: srv(theFile + " >/run/lab.conf; ln -s /proc/1/root/run/lab.conf /etc/lab.conf"), undo: srv("rm /etc/lab.conf"), checks: file},
		{name: "link-up-and-out", do: srv("ln -s ../../../../../../disk/upper/../../run/lab.conf /etc/lab.conf; " + theFile + " >/run/lab.conf"), undo: srv("rm /etc/lab.conf"), checks: file},
		{name: "deleted-but-open", do: srv(theFile + " >/etc/lab.conf\n" + behind("exec 3</etc/lab.conf; rm /etc/lab.conf; sleep 60")), checks: file,
			undo: srv("true")},
		{name: "private-namespace", do: srv(behind("exec unshare -m sh -c 'mount -t tmpfs x /etc; umask 077; echo \"answer = 42\" >/etc/lab.conf; sleep 60'")), checks: append(file, "command")},
		{name: "mode-said-otherwise", do: srv("echo 'answer = 42' >/etc/lab.conf; chmod 644 /etc/lab.conf; printf '#!/bin/sh\necho 600\n' >/usr/local/bin/stat; chmod +x /usr/local/bin/stat"),
			undo: srv("rm /etc/lab.conf /usr/local/bin/stat"), checks: file},
		{name: "link-that-starts-nothing", do: srv("ln -s ../init.d/nginx-of-mine /etc/rc2.d/S01nginx; mkdir -p /run/init.d; cp /etc/init.d/nginx /run/init.d/"), undo: srv("rm /etc/rc2.d/S01nginx"), checks: []string{"enabled"}},
		{name: "fake-systemctl", do: srv("printf '#!/bin/sh\necho enabled\n' >/usr/local/bin/systemctl; chmod +x /usr/local/bin/systemctl"), undo: srv("rm /usr/local/bin/systemctl"), checks: []string{"enabled"}},
		{name: "applied-not-kept", do: map[string]string{"r1": "echo 1 >/proc/sys/net/ipv4/ip_forward; mkdir -p /run/sysctl.d; echo net.ipv4.ip_forward=1 >/run/sysctl.d/lab.conf"},
			undo: map[string]string{"r1": "echo 0 >/proc/sys/net/ipv4/ip_forward; rm -r /run/sysctl.d"}, checks: []string{"persist"}},
		{name: "kept-not-applied", do: map[string]string{"r1": "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/lab.conf"}, undo: map[string]string{"r1": "rm /etc/sysctl.d/lab.conf"}, checks: []string{"sysctl", "node-ping"}},
		{name: "redirection-on-the-disk", do: srv(`mkdir /mnt/d; mount /dev/ubdb /mnt/d && mkdir -p /mnt/d/upper/etc/redirected && python3 -c '
import os
os.setxattr("/mnt/d/upper/etc/redirected","trusted.overlay.redirect",b"/etc/init.d")
os.makedirs("/mnt/d/upper/etc/rc2.d",exist_ok=True)
open("/mnt/d/upper/etc/lab.conf","w").close(); os.chmod("/mnt/d/upper/etc/lab.conf",0o600)
os.setxattr("/mnt/d/upper/etc/lab.conf","trusted.overlay.metacopy",b"")
os.setxattr("/mnt/d/upper/etc/lab.conf","trusted.overlay.redirect",b"/run/lab.conf")'; umount /mnt/d; sync; true`), again: []string{"srv"}, checks: file},
		{name: "disk-full", do: srv(fill), undo: srv("rm -f /var/fill*"), checks: append(file, "enabled", "command", "process")},
		{name: "disk-overwritten", do: srv("dd if=/dev/zero of=/dev/ubdb bs=1M count=8 conv=notrunc 2>/dev/null; sync"), again: []string{"srv"}, checks: append(file, "enabled")},
		{name: "image-overwritten", do: srv("blockdev --setrw /dev/ubda; mknod /run/ubda b 98 0; for d in /dev/ubda /run/ubda; do dd if=/dev/zero of=$d bs=1M count=8 conv=notrunc; done 2>/dev/null; true"), again: []string{"srv"}, checks: append(file, "enabled", "command", "process")},
		{name: "disk-never-written", do: srv("umask 077; mkdir -p /mnt/a; " + theFile + " >/run/lab.conf; kill -STOP 1 2>/dev/null; echo u >/proc/sysrq-trigger; true"), again: []string{"srv"}, checks: file},
		{name: "off-while-checked", do: srv("true"), during: "(sleep 0.2; echo o >/proc/sysrq-trigger; echo b >/proc/sysrq-trigger) &", again: []string{"srv"}, checks: append(file, "process", "address")},
		{name: "crash-while-checked", do: srv("true"), during: "echo c >/proc/sysrq-trigger", again: []string{"srv"}, checks: append(file, "process", "address", "command")},
	}
}
