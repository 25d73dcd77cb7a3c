package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// commands looks for programs that an image does not have: in the blocks that a
// student types, in code within the text where a well-known program is named,
// in what machines do at their start and in what checks run.
func (l *linter) commands() {
	if l.options.Programs == nil {
		l.note("commands were not looked at: it is not known what the images have")
		return
	}
	here := map[string]*machine{}
	for i := range l.lab.Topology.Nodes {
		n := &l.lab.Topology.Nodes[i]
		if m := l.machine(n); m != nil {
			here[n.Name] = m
		}
	}
	if len(here) == 0 {
		return
	}
	l.startups(here)
	if l.guide != nil {
		for _, b := range l.guide.blocks {
			if m := here[b.node]; m != nil {
				for _, f := range m.typed(b) {
					l.inGuide(f.line, "command", f.fix, "%s", f.text)
				}
			}
		}
		for _, s := range l.guide.spans {
			l.inline(s, here)
		}
	}
	for i := range l.lab.Checks {
		c := &l.lab.Checks[i]
		type run struct{ node, command string }
		var runs []run
		if c.Command != nil {
			runs = append(runs, run{c.Command.Node, c.Command.Run + strings.Join(c.Command.Args[:min(1, len(c.Command.Args))], "")})
		}
		if c.Frames != nil && c.Frames.Cause != nil && len(c.Frames.Cause.Run) > 0 {
			runs = append(runs, run{c.Frames.Cause.Node, c.Frames.Cause.Run[0]})
		}
		for _, r := range runs {
			if m := here[r.node]; m != nil && r.command != "" {
				for _, f := range m.pristine().typed(block{text: r.command}) {
					l.inYAML("command", f.fix, fmt.Sprintf("the check %s: %s", c.Name, f.text), "checks", c.Name)
				}
			}
		}
	}
}

// startups looks at what machines do at their start. A comma within [ ] cuts a
// command in two unless it is in quotes: then neither half is one.
func (l *linter) startups(here map[string]*machine) {
	for i := range l.lab.Topology.Nodes {
		n := &l.lab.Topology.Nodes[i]
		m := here[n.Name]
		if m == nil {
			continue
		}
		m = m.pristine()
		for _, command := range n.Startup {
			for _, f := range m.typed(block{text: command}) {
				l.inYAML("command", "put the command in quotes, or use what is there", fmt.Sprintf("a startup command of %s, %q: %s", n.Name, command, f.text), "nodes", n.Name, "startup")
			}
		}
	}
}

// machine is what one node can run.
type machine struct {
	image     string
	programs  Programs
	own       map[string]bool // what the lab itself puts there
	functions map[string]bool // of the shell, defined by the student
	inside    bool            // of another program's prompt

	configuring bool // there, in a router's configuration
}

func (l *linter) machine(n *labs.Node) *machine {
	p, err := l.options.Programs(n.Image)
	if err != nil {
		l.note("commands on %s were not looked at: %v", n.Name, err)
		return nil
	}
	m := &machine{image: n.Image, programs: p, own: map[string]bool{}, functions: map[string]bool{}}
	if m.image == "" {
		m.image = "debian"
	}
	for _, f := range n.Files {
		m.own[f.Path] = true
		m.own[path.Base(f.Path)] = true
	}
	return m
}

// pristine is the machine as checks find it, without the student's doing.
func (m *machine) pristine() *machine {
	return &machine{image: m.image, programs: m.programs, own: m.own, functions: map[string]bool{}}
}

// has says whether a word begins a command that can be run.
func (m *machine) has(word string) bool {
	base := path.Base(word)
	switch {
	case builtins[word], m.functions[word], m.own[word]:
		return true
	case word != base && !strings.HasPrefix(word, "./") && !slices.Contains(searched, path.Dir(word)):
		return true // somewhere else, which nobody has listed
	}
	return m.programs.Commands[base] || m.own[base]
}

// searched is root's PATH in a guest.
var searched = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// inline looks at code in the text. Most of it is no command, so only programs
// that are well known and that no machine of the lab has are told of.
func (l *linter) inline(s piece, here map[string]*machine) {
	words := strings.Fields(s.text)
	if len(words) == 0 || !wellKnown[words[0]] {
		return
	}
	image := ""
	for _, m := range here {
		if m.has(words[0]) {
			return
		}
		image = m.image
	}
	l.inGuide(s.line, "command", "name a program that is there, or say the thing in words", "%s is not in the image %s", words[0], image)
}

// set makes a set of the words of a text.
func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var builtins = set(`. : [ [[ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown
echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd printf pushd pwd
read readarray readonly return set shift shopt source suspend test time times trap true type typeset ulimit umask unalias unset wait`)

// wellKnown are programs that guides of networking labs speak of. What a student
// runs on a computer of their own, such as Wireshark, is not among them.
var wellKnown = set(`ab aireplay-ng arp arp-scan arping arpspoof arptables bird birdc birdc6 brctl bridge bwm-ng conntrack curl dhclient
dhcpcd dhcpd dig dnsmasq dnsspoof docker dsniff ebtables ettercap ethtool exabgp fail2ban-client firewall-cmd fping ftp gobgp hey host hping3 htop
httperf ifconfig ifdown iftop ifup iperf iperf3 ip ip6tables ipcalc ipsec ipset iptables iptables-save ipvsadm iwconfig journalctl keepalived
knot kdig kresd ldpd lft lldpcli macchanger masscan mausezahn mosh mtr mz named named-checkconf named-checkzone nano nc ncat ndisc6 ndp neofetch netcat
netperf netplan netsniff-ng netstat networkctl nft nginx ngrep nmap nmcli nping nslookup ntpd chronyd chronyc nuttcp openssl openvpn ovs-vsctl ovs-ofctl
pathchar ping ping6 pip pip3 python python3 qperf radvd rdisc6 resolvectl rndc route rpcinfo rsync scapy screen sipcalc slurp smcroutectl snmpwalk
snort socat squid ss ssh sshd strace stubby suricata swanctl sysctl tc tcpdump tcpflow tcpreplay tcptraceroute telnet tftp thc-ipv6 tmux
tracepath traceroute traceroute6 ufw unbound unbound-control vconfig vi vim vtysh wget whois wg wg-quick wrk zeek bro apt apt-get yum`)
