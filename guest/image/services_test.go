package image_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest"
	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
)

// patience is how long a guest may take for something that must come.
const patience = 2 * time.Minute

// TestServices does in a real guest what a Debian user does with services.
func TestServices(t *testing.T) {
	g := bootGuest(t)
	tests := []struct {
		name    string
		command string
		code    int
		want    string // in stdout and stderr together
	}{
		{"nothing runs by itself", "systemctl list-units", 0, ""},
		{"what there is", "systemctl list-unit-files", 0, "frr.service "},
		{"inactive", "systemctl is-active ssh", 3, "inactive"},
		{"status of a stopped one", "systemctl status ssh", 3, "inactive (dead)"},
		{"start", "systemctl start ssh", 0, ""},
		{"start again", "systemctl start ssh", 0, ""},
		{"active", "systemctl is-active ssh.service", 0, "active"},
		{"by its other name", "systemctl is-active sshd", 0, "active"},
		{"status", "systemctl status ssh", 0, "active (running)"},
		{"a host key of its own", "ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null", 0, "ssh-ed25519"},
		{"restart", "systemctl restart ssh", 0, ""},
		{"stop", "systemctl stop ssh", 0, ""},
		{"stopped", "systemctl is-active ssh", 3, "inactive"},
		{"quiet", "systemctl -q is-active ssh", 3, ""},
		{"enable", "systemctl enable nginx", 0, "Created symlink /etc/rc2.d/S01nginx"},
		{"is-enabled", "systemctl is-enabled nginx", 0, "enabled"},
		{"enabled is not started", "systemctl is-active nginx", 3, "inactive"},
		{"disable", "systemctl disable nginx", 0, "Removed /etc/rc2.d/S01nginx"},
		{"disabled", "systemctl is-enabled nginx", 1, "disabled"},
		{"enable now", "systemctl enable --now nginx", 0, "Created symlink"},
		{"serves", "curl -sI http://127.0.0.1/", 0, "Server: nginx"},
		{"reload", "systemctl reload nginx", 0, ""},
		{"service", "service nginx status", 0, "nginx is running"},
		{"init.d", "/etc/init.d/nginx stop", 0, "Stopping nginx: nginx."},
		{"init.d did", "systemctl is-active nginx", 3, "inactive"},

		{"unknown to start", "systemctl start nosuch", 5, "Unit nosuch.service not found."},
		{"unknown status", "systemctl status nosuch", 4, "Unit nosuch.service could not be found."},
		{"unknown is-active", "systemctl is-active nosuch", 4, "inactive"},
		{"no tricks with names", "systemctl start ../../bin/sh", 5, "not found"},
		{"unknown verb", "systemctl frobnicate", 1, "Unknown command verb frobnicate."},
		{"no unit", "systemctl start", 1, "name a unit"},
		{"accepted", "systemctl daemon-reload", 0, ""},

		{"a broken configuration", "echo nonsense >/etc/nginx/nginx.conf; systemctl start nginx", 1, "Job for nginx.service failed"},
		{"a broken one says why", "echo 'zone {' >>/etc/bind/named.conf; named-checkconf; systemctl start named", 1, "named.conf"},
		{"named", "sed -i '/zone {/d' /etc/bind/named.conf; service bind9 start; dig +short @127.0.0.1 localhost", 0, "127.0.0.1"},
		{"named by its old name", "systemctl is-active bind9", 0, "active"},
		{"rndc with a key of its own", "rndc status", 0, "server is up"},
		{"named stops", "systemctl stop named; systemctl is-active named", 3, "inactive"},

		{"frr", "sed -i s/ospfd=no/ospfd=yes/ /etc/frr/daemons; systemctl start frr && systemctl is-active frr", 0, "active"},
		{"vtysh", "vtysh -c 'show daemons'", 0, "ospfd"},
		{"frr keeps what it is told", "vtysh -c 'conf t' -c 'router ospf' -c 'network 10.0.0.0/8 area 0' -c end -c 'write memory' && grep -c 'network 10' /etc/frr/frr.conf", 0, "1"},
		{"frr restarts", "service frr restart; vtysh -c 'show running-config'", 0, "network 10.0.0.0/8 area 0"},
		{"frr stops", "systemctl stop frr; systemctl is-active frr", 3, "inactive"},

		{"frr by its older names", "service quagga start && systemctl is-active zebra && /etc/init.d/zebra stop && ls /etc/quagga/daemons", 0, "/etc/quagga/daemons"},

		{"rules", "echo 'table ip filter { }' >/etc/nftables.conf; systemctl start nftables && systemctl is-active nftables && nft list ruleset", 0, "table ip filter"},
		{"no rules", "systemctl stop nftables; systemctl is-active nftables", 3, "inactive"},
		{"a tunnel at boot", "systemctl enable wg-quick@wg1 && cat /etc/rc2.d/S01wg-quick@wg1 && systemctl disable wg-quick@wg1", 5, "not found"},
		{"suricata reads rules", "echo 'alert icmp any any -> any any (msg:\"ping\"; sid:1;)' >/tmp/r; suricata -T -S /tmp/r -l /tmp", 0, "successfully loaded"},

		{"a daemon that ends at once", "systemctl start bird", 1, "nothing of it is running"},
		{"bird, whose script knows no status", "sed -i '1i router id 10.0.0.1;' /etc/bird/bird.conf; systemctl start bird; systemctl is-active bird2", 0, "active"},
		{"birdc", "birdc show status", 0, "Daemon is up and running"},
		{"bird stops", "systemctl stop bird; systemctl is-active bird", 3, "inactive"},
		{"dnsmasq", "systemctl start dnsmasq; systemctl is-active dnsmasq; systemctl stop dnsmasq", 0, "active"},
		{"unbound", "systemctl start unbound && systemctl is-active unbound && systemctl stop unbound", 0, "active"},
		{"apache2", "systemctl start apache2 && curl -sI http://127.0.0.1/ && systemctl stop apache2", 0, "Server: Apache"},
		{"dhcp server without a configuration", "systemctl start isc-dhcp-server", 1, "Job for isc-dhcp-server.service failed"},
		{"a tunnel", "umask 077; wg genkey >k; printf '[Interface]\\nPrivateKey = %s\\nAddress = 10.9.9.1/24\\n' $(cat k) >/etc/wireguard/wg0.conf; " +
			"systemctl start wg-quick@wg0 && systemctl is-active wg-quick@wg0 && wg show wg0", 0, "public key"},
		{"a tunnel ends", "systemctl stop wg-quick@wg0; systemctl is-active wg-quick@wg0", 3, "inactive"},

		{"lists what runs", "systemctl start cron; systemctl list-units", 0, "cron.service"},
		{"ping", "ping -c 1 127.0.0.1", 0, "1 received"},
		{"ping by anybody", "runuser -u www-data -- ping -c 1 127.0.0.1", 0, "1 received"},
		{"tcpdump as root", "timeout 20 tcpdump -Z root -i lo -c 1 icmp & sleep 1; ping -c 3 127.0.0.1 >/dev/null; wait", 0, "ICMP echo"},
		{"manual pages", "man -P cat tcpdump | head -n 5", 0, "dump traffic on a network"},
		{"processes", "ps aux", 0, "cron"},
		{"iptables of both kinds", "iptables -S && iptables-legacy -S", 0, "-P INPUT ACCEPT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := g.Agent().Exec(ctx, agent.Exec{Args: []string{"bash", "-c", tt.command}})
			if err != nil {
				t.Fatal(err)
			}
			said := string(r.Stdout) + string(r.Stderr)
			if r.Code != tt.code || !strings.Contains(said, tt.want) {
				t.Errorf("%s\nended with %d and said\n%s\nwant %d and %q", tt.command, r.Code, said, tt.code, tt.want)
			}
			if tt.want == "" && tt.code == 0 && said != "" {
				t.Errorf("%s\nsaid\n%s\nwant nothing", tt.command, said)
			}
		})
	}
}

// TestShell holds what the files in /etc give an interactive bash, and that it
// starts no program before its first prompt.
func TestShell(t *testing.T) {
	g := bootGuest(t)
	for _, tt := range []struct{ name, command, want string }{
		{"prompt", `bash -ic 'echo "${PS1@P}"'`, "root@pc1:~#"},
		{"login shell", `bash -lic 'echo "${PS1@P}"'`, "root@pc1:~#"},
		{"colours", `bash -ic 'alias ls; echo $LS_COLORS'`, "alias ls='ls --color=auto'"},
		{"no program before the prompt", `strace -f -qq -e trace=execve -o /tmp/log bash -ic : ; grep -c execve /tmp/log`, "1\n"},
		{"none before a login shell's", `strace -f -qq -e trace=execve -o /tmp/log bash -lic : ; grep -c execve /tmp/log`, "1\n"},
		{"completion waits for Tab", `bash -ic 'declare -F _init_completion || complete -p -D'`, "_completion_on_first_tab"},
		{"and then comes", `bash -ic '_completion_on_first_tab; echo $?; complete -p -D; declare -F _init_completion'`, "124\ncomplete -F _completion_loader -D\n_init_completion"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := g.Agent().Exec(ctx, agent.Exec{Args: []string{"bash", "-c", tt.command}})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(r.Stdout), tt.want) {
				t.Errorf("%s\nsaid\n%s%s\nwant %q", tt.command, r.Stdout, r.Stderr, tt.want)
			}
		})
	}
}

// bootGuest starts a guest with the default kernel and image and a disk of its
// own. It is killed with the test.
func bootGuest(t *testing.T) *guest.Guest {
	t.Helper()
	cache := cacheFolder()
	k, err := kernel.Find(cache, "")
	m, imageErr := image.Find(cache, "")
	if err := errors.Join(err, imageErr); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("run make kernel image first: %v", err)
		}
		t.Skipf("run make kernel image first: %v", err)
	}
	dir := t.TempDir()
	guestd := filepath.Join(dir, "guestd")
	build := exec.Command("go", "build", "-o", guestd, "../../cmd/guestd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building guestd: %v\n%s", err, out)
	}
	initrd, err := kernel.Initrd(dir, k, guestd)
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(dir, "disk")
	if err := image.NewDisk(t.Context(), dir, 1<<30, disk); err != nil {
		t.Fatal(err)
	}
	g, err := guest.Start(t.Context(), guest.Config{
		Name: "pc1", Dir: dir,
		Kernel: guest.Kernel{Name: k.Name, Path: k.Path, Libs: k.Libs, Seccomp: k.Seccomp, Args: k.Args},
		Initrd: initrd,
		Image:  guest.Disk{Path: m.Path, Type: m.Type},
		Disk:   guest.Disk{Path: disk, Type: image.DiskType},
		Memory: 256 << 20, CPU: -1, Lines: 1, Seccomp: k.Seccomp,
		Machine: agent.Machine{Hostname: "pc1", TimeNanos: time.Now().UnixNano(), Fresh: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, g.Console(0))
	}()
	t.Cleanup(func() {
		g.Kill()
		<-drained
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := g.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	return g
}
