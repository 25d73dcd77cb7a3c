package guest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

// verify runs a shell command of the pristine image.
func (m *machine) verify(t testing.TB, e agent.Exec) agent.ExecResult {
	t.Helper()
	r, err := m.Agent().Verify(within(t), e)
	if err != nil {
		t.Fatalf("%v: %v", e.Args, err)
	}
	return r
}

// mount is mount(8) in few words, for an image that has none: from, to, type,
// and flags in C's numbers.
const mount = `mount() { python3 -c 'import ctypes,sys
a=sys.argv
c=ctypes.CDLL(None,use_errno=True)
sys.exit(0 if c.mount(a[1].encode(),a[2].encode(),a[3].encode(),ctypes.c_ulong(int(a[4],0)),None)==0 else ctypes.get_errno())' "$@"; }
umount() { python3 -c 'import ctypes,sys
sys.exit(0 if ctypes.CDLL(None).umount2(sys.argv[1].encode(),2)==0 else 1)' "$@"; }
bind=0x1000 shared=0x104000
`

// TestPristine has a student with root try what hides or forges what programs
// of the guest say. Each has a machine of its own: some break it for good.
func TestPristine(t *testing.T) {
	const honest = "ip -o -4 addr show dev lo"
	tests := []struct {
		name    string
		trick   string
		command string // of the check; honest when empty
		want    string
		doubt   string // part of the doubt that is due; none when empty
	}{
		{name: "nothing", trick: "true", want: "127.0.0.1/8"},
		{name: "replaced ip", trick: `for p in /bin/ip /sbin/ip /usr/bin/ip /usr/sbin/ip; do rm -f $p; printf '#!/bin/sh\necho forged\n' >$p; chmod +x $p; done; [ "$(ip)" = forged ]`, want: "127.0.0.1/8"},
		{name: "ld.so.preload", trick: `echo /root/no.so >/etc/ld.so.preload; ip 2>&1 | grep -q no.so`, want: "127.0.0.1/8"},
		{name: "replaced loader", trick: `rm -f /lib64/ld-linux-x86-64.so.2 /usr/lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; ! ip 2>/dev/null`, want: "127.0.0.1/8"},
		{name: "bind mount over /usr", trick: `mkdir -p /root/x/bin; cp /bin/true /root/x/bin/ip; mount /root/x /usr none $bind`, want: "127.0.0.1/8"},
		{name: "mount over /", trick: `mount none / tmpfs 0`, want: "127.0.0.1/8"},
		{name: "over-mounted proc", trick: `mount none /proc tmpfs 0; mkdir -p /proc/sys/net/ipv4; echo 1 >/proc/sys/net/ipv4/ip_forward`, command: "cat /proc/sys/net/ipv4/ip_forward", want: "0\n"},
		{name: "bound proc file", trick: `echo 1 >/root/one; mount /root/one /proc/sys/net/ipv4/ip_forward none $bind; grep -q 1 /proc/sys/net/ipv4/ip_forward`, command: "cat /proc/sys/net/ipv4/ip_forward", want: "0\n"},
		{name: "profile and alias", trick: `for f in /etc/profile /etc/bash.bashrc /root/.bashrc /root/.profile; do echo 'alias ip="echo forged"; PATH=/nowhere' >$f; done`, want: "127.0.0.1/8"},
		{name: "removed /bin", trick: `rm -rf /usr/sbin /sbin /usr/local; rm -rf /bin`, want: "127.0.0.1/8"},
		{name: "removed everything", trick: `rm -rf --no-preserve-root / 2>/dev/null; true`, want: "127.0.0.1/8"},
		{name: "full disk", trick: `dd if=/dev/zero of=/root/fill bs=1M 2>/dev/null; true`, want: "127.0.0.1/8"},
		{name: "other image device", trick: `rm /dev/ubda; mknod -m 600 /dev/ubda b 98 16`, want: "127.0.0.1/8"},
		{name: "image unmounted", trick: `for f in /proc/1/fd/*; do umount $f/image; mount none $f/image tmpfs 0; done; true`, want: "127.0.0.1/8"},
		{name: "shared mounts", trick: `mount none / none $shared`, command: honest, want: "127.0.0.1/8"},
		{name: "mount limit", trick: `mount none /mnt tmpfs 0 && echo 100000 >/proc/sys/fs/mount-max`, want: "127.0.0.1/8"},
		{name: "environment of init", trick: `echo 'LD_PRELOAD=/x.so' >/etc/environment; mkdir -p /etc/ld.so.conf.d; echo /root >/etc/ld.so.conf.d/0.conf; ldconfig`, want: "127.0.0.1/8"},
		{name: "few open files", trick: `prlimit --pid 1 --nofile=12:12; true`, want: "127.0.0.1/8", doubt: "limits were changed"},
		{name: "control group", trick: `mkdir /sys/fs/cgroup/x; echo 1 >/sys/fs/cgroup/x/cgroup.procs`, want: "127.0.0.1/8", doubt: "control group /x"},
		{name: "traced guestd", trick: `(strace -f -p 1 >/dev/null 2>&1 &) ; for i in 1 2 3 4 5 6 7 8 9 10; do grep -q 'TracerPid:.*[1-9]' /proc/1/status && break; sleep 0.2; done`, want: "127.0.0.1/8", doubt: "traced guestd"},
		{name: "killed", trick: `(while :; do pkill -9 -x sleep; sleep 0.05; done >/dev/null 2>&1 &)`, command: "exec /usr/bin/sleep 30", doubt: "signal 9"},
		{name: "stopped", trick: `(while :; do pkill -STOP -f 'sleep 3$'; /bin/true; done >/dev/null 2>&1 &)`, command: "exec sleep 3", doubt: "stopped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := boot(t, realConfig(t))
			m.sh(t, mount+tt.trick)
			command := tt.command
			if command == "" {
				command = honest
			}
			r := m.verify(t, agent.Exec{Args: []string{"sh", "-c", command}, Timeout: 5 * time.Second})
			if tt.want != "" && (r.Code != 0 || !strings.Contains(string(r.Stdout), tt.want)) {
				t.Errorf("exit code %d, %q, %q; want %q", r.Code, r.Stdout, r.Stderr, tt.want)
			}
			if tt.doubt == "" && r.Doubt != "" || !strings.Contains(r.Doubt, tt.doubt) {
				t.Errorf("doubt %q, want %q", r.Doubt, tt.doubt)
			}
		})
	}
}

// TestPristineView is what a pristine program sees of the guest, and what it
// leaves behind: nothing.
func TestPristineView(t *testing.T) {
	m := boot(t, realConfig(t))
	m.sh(t, mount+"mount none / none $shared; echo theirs >/root/own; ip link add d0 type dummy; ip netns add blue; cp /bin/id /root/id; chmod u+s /root/id")
	before := m.sh(t, "cat /proc/self/mountinfo")
	for _, tt := range []struct{ command, want string }{
		{"cat /student/root/own", "theirs"},
		{"cat /root/own 2>&1 || true", "No such file"},
		{"ip -br link", "d0"},
		{"ip netns exec blue ip -br link", "lo"},
		{"echo x >/student/root/own || true", ""},
		{"/student/root/id 2>&1 || true", "Permission denied"},
		{"echo x >/usr/x || true; echo y >/tmp/y; cat /tmp/y", "y"},
		{"cat /proc/1/comm", "init"},
		{"echo $PATH:$LD_PRELOAD", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"},
		{"pwd; id -u", "/\n0"},
	} {
		r := m.verify(t, agent.Exec{Args: []string{"sh", "-c", tt.command}})
		if !strings.Contains(string(r.Stdout), tt.want) || r.Doubt != "" {
			t.Errorf("%s: exit code %d, %q, %q, doubt %q; want %q", tt.command, r.Code, r.Stdout, r.Stderr, r.Doubt, tt.want)
		}
	}
	if own := m.sh(t, "cat /root/own"); own != "theirs\n" {
		t.Errorf("the student's file now holds %q", own)
	}
	if after := m.sh(t, "cat /proc/self/mountinfo"); after != before {
		t.Errorf("the student's mounts were\n%s and are\n%s", before, after)
	}
	if root := m.sh(t, "readlink /proc/1/root; ls /proc/1/root/root/own"); !strings.Contains(root, "/root/own") {
		t.Errorf("guestd's root: %s", root)
	}
}

// TestPristinePeer has real and false daemons answer on a socket.
func TestPristinePeer(t *testing.T) {
	const zebra = "/usr/lib/frr/zebra"
	tests := []struct{ name, trick, doubt string }{
		{"nobody", "true", ""},
		{"the image's", "sed -i s/zebra=no/zebra=yes/ /etc/frr/daemons; /etc/init.d/frr start >/dev/null 2>&1; true", ""},
		{"another program", "mkdir -p /run/frr; (socat UNIX-LISTEN:/run/frr/zebra.vty,fork SYSTEM:'echo {}' >/dev/null 2>&1 &)", "not the image's"},
		{"another program of its name", "cp /usr/bin/socat /usr/lib/frr/zebra; mkdir -p /run/frr; (/usr/lib/frr/zebra UNIX-LISTEN:/run/frr/zebra.vty,fork SYSTEM:'echo {}' >/dev/null 2>&1 &)", "not the image's"},
		{"a library of the student's", "cp /lib/x86_64-linux-gnu/libm.so.6 /root/libforged.so; printf x >>/root/libforged.so; mkdir -p /run/frr; chown frr /run/frr; (LD_PRELOAD=/root/libforged.so /usr/lib/frr/zebra -d >/dev/null 2>&1)", "code that is not the image's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := boot(t, realConfig(t))
			m.sh(t, tt.trick)
			if tt.name != "nobody" {
				m.sh(t, "for i in $(seq 100); do [ -S /run/frr/zebra.vty ] && break; sleep 0.1; done; [ -S /run/frr/zebra.vty ]")
			}
			r := m.verify(t, agent.Exec{Args: []string{"true"}, Peers: []agent.Peer{{Socket: "/run/frr/zebra.vty", Program: zebra}}})
			if tt.doubt == "" && r.Doubt != "" || !strings.Contains(r.Doubt, tt.doubt) {
				t.Errorf("doubt %q, want %q", r.Doubt, tt.doubt)
			}
		})
	}
}

// BenchmarkPristine compares a pristine program with one of the student's root.
func BenchmarkPristine(b *testing.B) {
	m := boot(b, realConfig(b))
	e := agent.Exec{Args: []string{"ip", "-j", "route"}}
	for _, bb := range []struct {
		name string
		run  func() (agent.ExecResult, error)
	}{
		{"exec", func() (agent.ExecResult, error) { return m.Agent().Exec(b.Context(), e) }},
		{"pristine", func() (agent.ExecResult, error) { return m.Agent().Verify(b.Context(), e) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if r, err := bb.run(); err != nil || r.Code != 0 {
					b.Fatal(r, err)
				}
			}
		})
	}
}
